"""The older scoring script that AutoML writes next to the newer one; it is not the one that is deployed."""


def init():
    """Open nothing."""
    raise RuntimeError("the older script is deployed")


def run(data):
    """Score rows."""
    raise RuntimeError("the older script is deployed")
