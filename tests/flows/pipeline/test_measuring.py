"""The step `bench` writes the measured values next to the limits."""

import pytest

from epkit.core.report.report import Threshold
from epkit.flows.pipeline.measuring import met_line


@pytest.mark.parametrize(
    ("expression", "observed", "line"),
    [
        ("p99<250ms", 9.0561, "p99 9.06 ms < 250 ms"),
        ("p99.9<=1.5s", 812.4, "p99.9 812 ms <= 1,500 ms"),
        ("server.median<500us", 0.2103, "server.median 0.21 ms < 0.5 ms"),
        ("failed<1%", 0.0, "failed 0 % < 1 %"),
        ("ok=200", 200.0, "ok 200 == 200"),
        ("requests_per_s>=50", 1234.56, "requests_per_s 1,235 >= 50"),
    ],
)
def test_an_objective_that_was_met_is_written_with_what_was_observed(expression, observed, line):
    assert line == met_line(Threshold(expression=expression, observed=observed, passed=True))
