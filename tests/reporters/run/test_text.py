"""The default report: golden files, and properties of every report."""

import re
from dataclasses import replace

import pytest

from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import Latencies
from epkit.reporters.run import text
from support import reports
from support.goldens import check


@pytest.mark.parametrize("name", reports.ALL)
def test_golden(name):
    check(f"text-{name}.txt", text.render(reports.ALL[name]()))


def test_golden_without_percentiles():
    check("text-undetailed.txt", text.render(reports.all_ok(), percentiles=False))


def test_golden_without_deviations():
    check("text-bare.txt", text.render(reports.mixed(), deviations=False))


@pytest.mark.parametrize("name", reports.ALL)
def test_it_is_plain_text_of_80_columns_without_trailing_blanks(name):
    for line in text.render(reports.ALL[name]()).splitlines():
        assert len(line) <= 80
        assert line == line.rstrip()
        assert re.fullmatch(r"[ -~–]*", line)


@pytest.mark.parametrize(
    ("name", "last"),
    [
        ("all-ok", "10 of 10 succeeded"),
        ("mixed", "FAILED: 4 of 10 requests: 1 timeout, 2 status, 1 application"),
        ("refused", "FAILED: 10 of 10 requests: 400 Authorization header is malformed"),
        ("unreachable", "FAILED: 3 of 3 requests: connection refused"),
        ("unanswered", "FAILED: no request was completed"),
        ("partial", "PARTIAL: ended early, after 0.800 seconds and 7 of 90 requests"),
        ("open-loop", "NOT VALID: 211 of 500 requests started late"),
    ],
)
def test_the_last_line_is_the_verdict(name, last):
    assert last == text.render(reports.ALL[name]()).splitlines()[-1]


def test_a_refused_key_is_ten_failures_and_the_advice_names_the_key():
    page = text.render(reports.refused())

    assert "Failed requests:        10\n" in page
    assert reports.KEY_ADVICE in " ".join(page.split())


def test_a_small_run_says_what_its_p99_would_need():
    assert "\np99 needs 368 requests, this run has 10\n" in text.render(reports.all_ok())


def test_a_warning_about_a_percentile_stands_with_the_percentiles_and_only_there():
    warning = "p90 needs 36 requests, this run has 10"

    page = text.render(replace(reports.all_ok(), warnings=(Caveat(kind=CaveatKind.SMALL_SAMPLE, text=warning),)))

    assert page.count(warning) == 1
    assert "Warning:" not in page
    assert "p99 needs" not in page


def test_the_tail_is_shown_as_far_as_the_run_can_tell_it():
    small, large = text.render(reports.thousand()), text.render(reports.report(4000))

    assert ("99.9%" in small, "99.9%" in large, "99.99%" in large) == (False, True, False)


def test_several_payloads_are_counted():
    run = reports.all_ok().run
    small = replace(reports.PAYLOAD, bytes=90)
    page = text.render(replace(reports.all_ok(), run=replace(run, payloads=(reports.PAYLOAD, small))))

    assert "Payloads:               2 of 90 to 812 bytes\n" in page


def test_a_get_has_no_payload_line():
    page = text.render(replace(reports.all_ok(), run=replace(reports.all_ok().run, payloads=())))

    assert "Payload" not in page


def test_what_was_not_measured_is_left_out():
    base = reports.all_ok()
    bare = replace(
        base,
        latency_ms=Latencies(service=base.latency_ms.service),
        generator=replace(base.generator, lag_ms={}),
    )

    page = text.render(bare)

    for label in ("Connect:", "Where the time went", "Generator lag"):
        assert label not in page


def test_numbers_of_any_size_stay_apart():
    base = reports.report(2)
    slow = reports.distribution(2, 0.5, 7_200_000.0)

    page = text.render(replace(base, latency_ms=Latencies(service=slow)))

    (total,) = [line for line in page.splitlines() if line.startswith("Total: ")]
    assert total.split() == ["Total:", "0.500", "3600000.250", "5091168.471", "0.500", "7200000.000"]


@pytest.mark.parametrize("open_loop", [False, True])
def test_response_times_have_their_own_table_in_an_open_loop_only(open_loop):
    base = reports.all_ok()
    page = text.render(replace(base, plan=replace(base.plan, model="open" if open_loop else "closed")))

    assert open_loop == ("since due" in page)


def test_an_address_without_a_tls_name_has_no_line_for_it():
    base = reports.tls()
    page = text.render(replace(base, http=replace(base.http, server_name=None)))

    assert "SSL/TLS Protocol:" in page
    assert "TLS Server Name:" not in page
