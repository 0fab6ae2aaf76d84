"""Temporary."""


def lane_class():
    """Return it."""
    from epkit.engines.wire.lane import Lane

    return Lane
