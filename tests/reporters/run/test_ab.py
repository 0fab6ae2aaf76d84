"""The ab view equals, byte for byte, ab's own output for the same numbers."""

import re
from dataclasses import replace

import numpy as np
import pytest

from epkit.core.report import ab as arithmetic
from epkit.core.report.report import Report
from epkit.reporters.run import ab
from support import reports
from support.goldens import check
from support.vectors import CLOCKED, TIMED, clocked, printed, totals


def run_of(page, duration_s, flags=()):
    """Return the report for a text that ab printed: its head block gives every number except the duration."""
    head, number = page.head, page.number
    lines = re.search(r"\(Connect: (\d+), Receive: (\d+), Length: (\d+),", page.body)
    connect, receive, length = map(int, lines.groups()) if lines else (0, 0, 0)
    done = number("Complete requests")
    base = reports.report(done, concurrency=number("Concurrency Level"), duration_s=duration_s)
    return replace(
        base,
        plan=replace(base.plan, keepalive="-k" in flags),
        run=replace(base.run, payloads=(reports.PAYLOAD,) if "Total body sent" in head else ()),
        http=replace(
            base.http,
            server=head["Server Software"],
            host=head["Server Hostname"],
            port=number("Server Port"),
            path=head["Document Path"],
            document_bytes=0 if head["Document Length"] == "Variable" else number("Document Length"),
            length_differs=length,
            tls=head.get("SSL/TLS Protocol"),
            server_name=head.get("TLS Server Name"),
            bytes_in=number("Total transferred"),
            bytes_out=number("Total body sent"),
            body_bytes_in=number("HTML transferred"),
            kept_alive=number("Keep-Alive requests"),
            non_2xx=number("Non-2xx responses"),
            connect_failed=connect,
            receive_failed=receive,
        ),
    )


def summary_of(report: Report) -> arithmetic.AbReport:
    """Return ab's numbers for a made-up report: the times are distributed like its service times."""
    total = np.linspace(98_250, 176_500, max(report.counts.completed, 1), dtype=np.int64)
    total = total[: report.counts.completed]
    ctime = np.zeros_like(total)
    ctime[: report.http.connections] = 23_000
    return arithmetic.summarise(
        arithmetic.AbTimes(start=np.zeros_like(total), ctime=ctime, time=total, wait=total - ctime - 600)
    )


@pytest.mark.parametrize("name", CLOCKED)
def test_a_run_under_a_known_clock_is_printed_as_ab_printed_it(name):
    vector = clocked(name)
    summary = arithmetic.summarise(arithmetic.from_samples([vector.samples()], vector.began_us * 1000))
    flags = vector.flags

    text = ab.render(
        run_of(vector.printed, vector.duration_s, flags),
        summary,
        percentiles="-d" not in flags,
        deviations="-S" not in flags,
        quiet="-q" in flags,
        variable_length="-l" in flags,
    )

    banner = f"This is epkit 0.1.0, ab's layout and arithmetic\n\n{_after_licence(vector.printed.text)}"
    assert banner == text


def _after_licence(text):
    return text[text.index("Benchmarking ") :]


@pytest.mark.parametrize("name", TIMED)
def test_head_block_rates_and_percentiles_of_a_timed_run_are_printed_as_ab_printed_them(name):
    page = printed(name)
    total = totals(name)
    # ab's Time per request has three decimals: no other number of the output gives the run's duration more precisely.
    each_ms = float(page.head["Time per request"].split()[0])
    zero = np.zeros_like(total)
    summary = arithmetic.summarise(arithmetic.AbTimes(start=zero, ctime=zero, time=total, wait=total))

    text = ab.render(run_of(page, each_ms * len(total) / 1000), summary)

    # Requests per second may differ in the last digit, because the duration is known only to this precision.
    unknown = re.compile(
        r"^(Requests per second|Transfer rate|Connect|Processing|Waiting): .*\n"
        r"|^(WARNING|ERROR): .* (connection|processing|waiting) .*\n.*\n",
        re.MULTILINE,
    )
    assert unknown.sub("", page.body) == unknown.sub("", text[text.index("Server Software:") :])


@pytest.mark.parametrize("name", reports.ALL)
def test_golden(name):
    report = reports.ALL[name]()

    check(f"ab-{name}.txt", ab.render(report, summary_of(report)))


def test_golden_without_percentiles_and_deviations():
    report = reports.all_ok()

    check("ab-bare.txt", ab.render(report, summary_of(report), percentiles=False, deviations=False))


def test_ab_counts_a_refused_key_as_no_failure_and_says_non_2xx():
    report = reports.refused()

    text = ab.render(report, summary_of(report))

    assert "Failed requests:        0\nNon-2xx responses:      10\n" in text


def test_a_time_limit_counts_as_many_requests_in_the_banner():
    report = reports.open_loop()

    text = ab.render(report, summary_of(report))

    assert "Benchmarking 127.0.0.1 (be patient)\n\n\nServer Software:" in text


def test_the_report_does_not_claim_to_be_ab():
    report = reports.all_ok()

    assert "ApacheBench" not in ab.render(report, summary_of(report))


def test_an_address_without_a_tls_name_has_no_line_for_it():
    base = reports.tls()
    report = replace(base, http=replace(base.http, server_name=None))

    text = ab.render(report, summary_of(report))

    assert "SSL/TLS Protocol:" in text
    assert "TLS Server Name:" not in text
