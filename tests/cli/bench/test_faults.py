"""With each kind of misbehaviour the run ends in time, and every request is counted once, in the right class."""

import pytest

from support.cli_harness import TWO_ROWS, complaint
from support.faults import FAULTS, ODD

OK = frozenset(
    [
        "ok",
        "ok-chunked",
        "ok-close-delimited",
        "ok-connection-close",
        "ok-split",
        "ok-split-chunked",
        "delay",
        "gated",
        "stall",
        "early-hints",
        "gzip",
        "deflate",
        "deflate-raw",
        "azure",
        "big-header",
        "nested",
        "echo-id",
        "version-1.0",
        "bare-lf",
        "only-lf",
        "only-lf-split",
        "only-lf-chunked",
        "br",
        "zstd",
        "chunk-extension",
        "cut",
        "cut-length",
        "cut-chunked",
    ]
)
"""Behaviours that count as a success."""

DRAWN_OUT = ("slow-header", "held")

KINDS = {
    "empty": "empty",
    "204": "empty",
    **dict.fromkeys(
        [
            "early",
            "304",
            "401",
            "403",
            "404",
            "413",
            "415",
            "424",
            "429",
            "500",
            "503",
            "malformed-auth",
            "redirect",
            "echo",
        ],
        "status",
    ),
    "redirect-slowly": "status",
    **dict.fromkeys(
        {*ODD, "te-gzip", "te-identity", "te-gzip-hangs", "endless-interim", "many-headers", "raw"} - OK,
        "transport",
    ),
    "204-with-body": "empty",
    **dict.fromkeys(["error-in-200", "error-in-200-doubled"], "application"),
    "wrong-count": "mismatch",
    **dict.fromkeys(["not-json", "ok-large", "swagger.json"], "contract"),
    **dict.fromkeys(
        [
            "gzip-broken",
            "gzip-bomb",
            "close-before",
            "close-in-header",
            "close-after-header",
            "truncated",
            "reset",
            "reset-in-body",
            "chunk-garbage",
            "chunk-truncated",
            "not-http",
            "huge-header",
            "endless-header",
            "endless-body",
            "endless-close",
        ],
        "transport",
    ),
    **dict.fromkeys(["length-too-long", "never", "never-reads", "drip", *DRAWN_OUT], "timeout"),
}
"""The only kind of failure that all requests meet."""

HANGING = frozenset(name for name, kind in KINDS.items() if kind == "timeout") | {"endless-tiny"}

SOME = {
    "endless-tiny": {"timeout", "transport"},  # the time or the size limit is reached first
    "flaky": {"status"},  # every third
    "second-dies": {"transport"},  # at most every second
    "closes-idle": {"transport"},  # a request that was under way when the server closed
    "twice": {"transport"},
    "length-too-short": {"contract", "transport"},
}
"""Kinds of failure that some of the requests may meet."""

ONE = (1, 2)
MANY = (32, 40)
LOADS = [ONE, pytest.param(*MANY, marks=pytest.mark.long)]


def bench(cli, fault_server, name, concurrency, requests, *more):
    body = cli.write("rows.json", TWO_ROWS)
    timeout = 0.25 if name in HANGING else 10
    return cli(
        "bench", "-c", concurrency, "-n", requests, "-s", timeout, "-p", body, "--format", "json", *more,
        fault_server.url(name),
    )  # fmt: skip


def test_every_fault_of_the_server_is_in_the_tables():
    assert set(FAULTS) == OK | set(KINDS) | set(SOME)


@pytest.mark.parametrize(("concurrency", "requests"), LOADS)
@pytest.mark.parametrize("name", sorted(OK))
def test_an_odd_manner_is_no_failure(cli, fault_server, name, concurrency, requests):
    ran = bench(cli, fault_server, name, concurrency, requests)

    assert (0, "", {}) == (ran.code, ran.err, ran.failures)
    assert requests == ran.report["counts"]["ok"]


@pytest.mark.parametrize("coding", ["br", "zstd"])
def test_a_coding_that_is_not_read_is_said(cli, fault_server, coding):
    ran = bench(cli, fault_server, coding, 1, 2)

    assert [f"replies are coded in {coding}, which epkit does not read: they are judged by their status alone"] == [
        text
        for text, kind in zip(ran.report["warnings"], ran.report["warning_kinds"], strict=True)
        if kind == "unchecked"
    ]


@pytest.mark.parametrize(("concurrency", "requests"), LOADS)
@pytest.mark.parametrize("name", sorted(KINDS))
def test_each_failure_is_of_its_kind(cli, fault_server, name, concurrency, requests):
    ran = bench(cli, fault_server, name, concurrency, requests)

    assert {KINDS[name]: requests} == ran.failures
    assert f"none of {requests} requests succeeded: " in complaint(ran, 4)


@pytest.mark.parametrize(
    ("name", "concurrency", "requests"),
    [
        *((name, *ONE) for name in sorted(SOME)),
        # An endless reply takes all of the processor until its time is over.
        *(pytest.param(name, *MANY, marks=[pytest.mark.long] * (name == "endless-tiny")) for name in sorted(SOME)),
    ],
)
def test_what_fails_now_and_then_is_counted_once(cli, fault_server, name, concurrency, requests):
    ran = bench(cli, fault_server, name, concurrency, requests)

    assert set(ran.failures) <= SOME[name]
    assert requests == ran.report["counts"]["sent"]
    assert ran.code in (0, 4, 5)
