"""The window: a refusal halves it, successes increase it, and it stays within its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from epkit.core.score.adaptive import ConcurrencyWindow


def test_it_begins_with_all_that_was_asked_for():
    assert 16 == ConcurrencyWindow(16).size


def test_a_storm_for_one_window_halves_it_once():
    window = ConcurrencyWindow(16)
    for _ in range(16):
        window.refused(sent=0, now=10)

    assert 8 == window.size


def test_refusals_of_what_was_sent_later_halve_it_further_but_never_below_one():
    window = ConcurrencyWindow(16)
    for time in range(10):
        window.refused(sent=10 * time + 1, now=10 * time + 5)

    assert 1 == window.size


def test_another_limit_counts_at_once_where_nothing_was_refused():
    window = ConcurrencyWindow(4)
    window.limit(0)
    assert 0 == window.size
    window.limit(6)

    assert 6 == window.size


def test_another_limit_does_not_undo_a_refusal():
    window = ConcurrencyWindow(8)
    window.refused(sent=0, now=1)
    window.limit(16)
    assert 4 == window.size
    window.limit(2)

    assert 2 == window.size


def test_no_refusal_makes_room_where_there_is_none():
    window = ConcurrencyWindow(1)
    window.limit(0)
    window.refused(sent=0, now=1)

    assert 0 == window.size


def test_it_comes_back_up_by_one_for_a_window_of_successes():
    window = ConcurrencyWindow(16)
    window.refused(sent=0, now=1)
    sizes = []
    for _ in range(9 + 10 + 11):
        window.succeeded()
        sizes.append(window.size)

    assert 11 == sizes[-1]
    assert sizes == sorted(sizes)


def test_it_says_when_there_is_room_for_one_more():
    window = ConcurrencyWindow(2)
    window.refused(sent=0, now=1)

    assert [True, False] == [window.succeeded(), window.succeeded()]


@given(st.integers(1, 64), st.lists(st.tuples(st.booleans(), st.integers(0, 50))))
def test_it_stays_in_its_bounds(most, events):
    window = ConcurrencyWindow(most)
    for now, (success, ago) in enumerate(events):
        if success:
            window.succeeded()
        else:
            window.refused(sent=now - ago, now=now)

        assert 1 <= window.size <= most
