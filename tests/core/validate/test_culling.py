"""Wrong rows are found by checks of many rows at once."""

from hypothesis import given
from hypothesis import strategies as st

from epkit.core.validate.culling import cull
from epkit.core.validate.violations import Findings


@given(st.integers(0, 200), st.sets(st.integers(0, 199)))
def test_every_wrong_row_is_found_and_no_other(count, wrong):
    checks = []

    def check(start, stop):
        checks.append(stop - start)
        findings = Findings()
        for row in sorted(wrong):
            if start <= row < stop:
                findings.add("type", (row,), f"row {row} is wrong")
        return findings

    found = cull(count, check)

    assert {row for row in wrong if row < count} == found.keys()
    assert all(found[row].startswith(f"row {row} is wrong") for row in found)
    if not wrong:
        assert len(checks) == 1


def test_warnings_are_no_reason_to_leave_a_row_out():
    findings = Findings()
    findings.add("type", (), "well", severity="warning")

    assert {} == cull(10, lambda start, stop: findings)
