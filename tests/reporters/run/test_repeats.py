"""Repeated runs, side by side."""

from dataclasses import replace

import pytest

from epkit.core.report.report import Latencies
from epkit.reporters.run import repeats
from support import reports
from support.goldens import check


def runs():
    """Two targets alternately; of the second target, the second run is not valid and the third has no success."""
    a, b = reports.thousand(), reports.mixed()
    b = replace(b, run=replace(b.run, target="http://127.0.0.1:5002/score"))
    spoilt = replace(reports.open_loop(), run=b.run)
    nothing = replace(reports.refused(), run=b.run, latency_ms=Latencies())
    return [a, b, reports.correlated(), spoilt, reports.thousand(), nothing]


def test_golden_text():
    check("repeats.txt", repeats.text(runs()))


def test_golden_markdown():
    check("repeats.md", repeats.markdown(runs()))


@pytest.mark.parametrize("line", repeats.text(runs()).splitlines())
def test_it_is_plain_text_of_80_columns(line):
    assert len(line) <= 80
    assert line == line.rstrip()


def test_a_single_run_has_no_deviation():
    page = repeats.text([reports.all_ok()])
    means = page.partition("Means")[2].splitlines()[1]

    assert page.startswith("1 run of 1 target\n")
    assert means.startswith("A ")
    assert "+/-" not in means
