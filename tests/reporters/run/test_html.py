"""Pages of runs: complete, self-contained, small, safe, and readable for a browser."""

import re
from dataclasses import replace

import numpy as np
import pytest

from epkit.core.report import compare as c
from epkit.core.report.assembly import assemble
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import DeploymentInfo
from epkit.core.report.summary import Summary
from epkit.core.stats.hdr import as_saved
from epkit.reporters.compare import html as html_comparison
from epkit.reporters.run import html
from epkit.reporters.run.percentiles import UNSUPPORTED
from support import reports
from support.drawn_pages import BROWSER, balanced, drawn, fetched
from support.rows import MS, known, timed


def page(seconds=12, **changes):
    """Render a run of some seconds, with failures and two deployments."""
    times = (np.random.default_rng(3).lognormal(0, 0.5, round(seconds * 90)) * 10 * MS).astype(np.int64)
    block = timed(times, server=5 * MS, deployment=1 + np.arange(len(times)) % 2)
    block["failure"][::50] = 5
    summary = Summary()
    summary.add(block)
    report = assemble(known(block, deployments=("", "blue", "green")), summary)
    return html.render(replace(report, **changes), as_saved(summary.histograms()))


def test_a_sweep_is_drawn_as_a_curve_with_its_knee():
    text = html.render(reports.sweep(), {})

    assert balanced(text)
    assert "Latency by throughput" in text
    assert [">c=1<", ">c=2, knee<", ">c=4<"] == re.findall(r">c=\d(?:, knee)?<", text[: text.index("</svg>")])
    assert "<td>warm-up</td>" in text


def test_a_sweep_of_batch_sizes_is_drawn_and_ends_with_the_line_to_use():
    text = html.render(reports.grid(), {})
    chart = text[text.index("<h2>p99 by rows per second") :]
    chart = chart[: chart.index("</svg>")]

    assert balanced(text)
    assert ["rows=1 c=1", "rows=10 c=1", "rows=10 c=4", "rows=100 c=1"] == re.findall(r">(rows=\d+ c=\d)<", chart)
    assert 5 == sum(drawn.count("h0") for drawn in re.findall(r'<path class="o [^>]*>', chart))
    assert "<td>use, front</td>" in text
    assert "epkit score 'my rows.csv' --target prod --batch-rows 10 -c 4" in text
    assert "3 of 3 requests failed, after round 1" in text
    assert "use 10 rows a request and 4 in flight: 12,786 rows/s" in text


def test_a_run_of_one_load_has_no_curve():
    assert "Latency by throughput" not in page()


def test_a_page_holds_every_chart_and_table():
    text = page()

    for heading in (
        "Latency over time", "Throughput and failures", "Histogram of the service time", "Percentiles",
        "Where the time goes", "By deployment", "Latencies (ms)", "Deployments", "Everything else",
    ):  # fmt: skip
        assert f"<h2>{heading}" in text
    assert balanced(text)


def test_a_page_is_small_and_fetches_nothing():
    text = page()

    assert len(text) < 100_000
    assert [] == fetched(text)
    assert {"http://www.w3.org/2000/svg"} == set(re.findall(r"https?://www[^\"<]*", text))
    assert "default-src 'none'" in text


def test_a_sample_that_supports_no_percentile_is_said_to():
    text = page(seconds=1 / 18)  # five requests

    assert UNSUPPORTED in text.partition("<h2>Percentiles")[2].partition("</section>")[0]


def test_no_number_of_a_chart_is_missing():
    assert [] == re.findall(r"<(?:svg|path|rect|line|circle|text)[^>]*\b(?:nan|inf|None)\b", page())


@pytest.mark.parametrize(
    "make",
    [reports.all_ok, reports.refused, reports.mixed],
    ids=["all ok", "all failed", "mixed"],
)
def test_a_page_of_any_report_is_whole(make):
    assert balanced(html.render(make(), {}))


def test_a_run_without_a_request_has_a_page():
    summary = Summary()

    assert balanced(html.render(assemble(known(duration_ns=0), summary), summary.histograms()))


def test_what_a_server_says_is_text():
    evil = "<script>alert(1)</script>"
    info = DeploymentInfo(ok=1, failed=0, service=reports.all_ok().latency_ms.service)
    text = page(deployments={evil: info}, warnings=(Caveat(kind=CaveatKind.OTHER, text=evil),))

    assert [] == fetched(text)
    assert "&lt;script&gt;" in text


def arm(scale):
    def run(i):
        times = np.random.default_rng(i).lognormal(0, 0.3, 300) * 10 * MS * scale
        summary = Summary()
        summary.add(timed(times.astype(np.int64)))
        return assemble(known(timed(times.astype(np.int64))), summary)

    return c.Arm(name=f"x{scale}", reports=tuple(map(run, range(5))))


def test_a_comparison_shows_changes_and_every_run():
    text = html_comparison.render(c.compare(arm(1.0), arm(1.2)))

    assert balanced(text)
    assert 11 == text.count("<tr>", text.index("<h2>Runs"))
    assert "slower" in text


def test_a_comparison_of_single_runs_has_a_page():
    one, other = (c.Arm(name="a", reports=arm(scale).reports[:1]) for scale in (1.0, 1.2))

    assert balanced(html_comparison.render(c.compare(one, other)))


@pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")
@pytest.mark.parametrize("width", [390, 1200])
def test_a_browser_draws_the_page(tmp_path, width):
    assert drawn(tmp_path, page(), width) > 20_000
