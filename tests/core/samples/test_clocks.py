"""The comparison of clocks: the true offset is within the bound, whatever the transfer times are."""

from hypothesis import given
from hypothesis import strategies as st

from epkit.core.samples.clocks import Offset

NS = st.integers(0, 10**12)


@given(st.integers(-(10**15), 10**15), NS, NS, st.integers(0, 10**15))
def test_the_true_offset_is_within_the_bound_however_uneven_the_way(true, there, back, sent):
    found = Offset.of(sent, sent + there + true, sent + there + back)

    assert abs(found.offset_ns - true) <= found.error_ns


def test_the_fastest_exchange_counts():
    slow, fast = Offset.of(0, 500, 1000), Offset.of(0, 140, 200)

    assert fast == slow.better(fast) == fast.better(slow)
    assert Offset(offset_ns=40, error_ns=100) == fast


def test_a_clock_that_has_drifted_is_known_less_well():
    before = Offset(offset_ns=1000, error_ns=100)

    assert before == before.drifted(Offset(offset_ns=1150, error_ns=100)), "nothing shows that it has"
    assert Offset(offset_ns=1000, error_ns=400) == before.drifted(Offset(offset_ns=1500, error_ns=100))
