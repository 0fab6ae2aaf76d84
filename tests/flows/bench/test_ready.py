"""The current requests of a run."""

from epkit.flows.bench.ready import Current


class Generator:
    """Stores the last requests."""

    def __init__(self):
        self.sent = None

    def replace(self, requests):
        self.sent = requests


def test_a_run_of_a_part_sends_that_part_with_a_new_token_too():
    current, first, second = Current(("a", "b", "c")), Generator(), Generator()

    current.drive(first, (0, 2))
    assert ("a", "c") == first.sent
    current.replace(("A", "B", "C"))
    assert ("A", "C") == first.sent
    current.drive(second)
    assert ("A", "B", "C") == second.sent
