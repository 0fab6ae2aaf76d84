"""Parsers of the clients' reports, without input or output."""

import csv
import json
import re
from dataclasses import dataclass


class OutputError(ValueError):
    """A report that cannot be read, or that has failures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A client's figures of its run; latencies are None if there were too few measurements."""

    requests: int
    requests_per_s: float
    p50_ms: float | None
    p99_ms: float | None


def from_ab(report: str, percentiles: str) -> Measured:
    """Read `ab -k`.

    Args:
        report: its stdout.
        percentiles: the file of `-e`, which has microseconds; the report rounds to ms.

    Raises:
        OutputError: a request failed, or a connection was not kept.

    Source: httpd support/ab.c, 2.4; the number of kept connections is printed with `-k` only.
    """
    requests = int(find(r"^Complete requests:\s+(\d+)$", report, "ab"))
    failed = int(find(r"^Failed requests:\s+(\d+)$", report, "ab"))
    refused = re.search(r"^Non-2xx responses:\s+(\d+)$", report, re.MULTILINE)
    if failed or refused:
        raise OutputError(f"ab: {failed or (refused and refused[1])} of {requests} requests failed")
    kept = int(find(r"^Keep-Alive requests:\s+(\d+)$", report, "ab"))
    if kept != requests:
        raise OutputError(f"ab: only {kept} of {requests} requests kept the connection")
    at = {row[0]: float(row[1]) for row in list(csv.reader(percentiles.splitlines()))[1:]}
    return Measured(
        requests=requests,
        requests_per_s=float(find(r"^Requests per second:\s+([\d.]+)", report, "ab")),
        p50_ms=at["50"],
        p99_ms=at["99"],
    )


def from_wrk(report: str) -> Measured:
    """Read the line of JSON that `wrk.lua` adds to wrk's report: it has microseconds; the report itself is rounded.

    Raises:
        OutputError: a request failed.

    Source: wrk 4.1 src/wrk.c. Its percentiles are corrected for coordinated omission: for a latency of more than twice
        the mean interval of a connection's requests, shorter ones are added. This does not affect steady servers.
    """
    said = json.loads(find(r"^(\{.*\})$", report, "wrk"))
    failures = {kind: count for kind, count in said["errors"].items() if count}
    if failures:
        raise OutputError(f"wrk: failures: {failures}")
    return Measured(
        requests=said["requests"],
        requests_per_s=said["requests"] / said["duration_us"] * 1e6,
        p50_ms=said["p50_us"] / 1000,
        p99_ms=said["p99_us"] / 1000,
    )


def from_hey(report: str) -> Measured:
    """Read hey's report; its latencies have steps of 0.1 ms.

    Raises:
        OutputError: a request failed.
    """
    statuses = {code: int(count) for code, count in re.findall(r"^\s+\[(\d+)\]\s+(\d+) responses$", report, re.M)}
    if "Error distribution:" in report or set(statuses) != {"200"}:
        raise OutputError(f"hey: requests failed; statuses {statuses or 'none'}")
    return Measured(
        requests=statuses["200"],
        requests_per_s=float(find(r"^\s+Requests/sec:\s+([\d.]+)$", report, "hey")),
        p50_ms=hey_percentile(50, report),
        p99_ms=hey_percentile(99, report),
    )


def hey_percentile(percent: int, report: str) -> float | None:
    """Return hey's percentile in ms; hey omits percentiles for which there are too few requests."""
    found = re.search(rf"^\s+{percent}%+ in ([\d.]+) secs$", report, re.MULTILINE)
    return float(found[1]) * 1000 if found else None


def from_epkit(report: str) -> Measured:
    """Read `epkit bench --format json`.

    Raises:
        OutputError: it is not a report of epkit, or a request failed.
    """
    try:
        said = json.loads(report)
        counts, throughput = said["counts"], said["throughput"]
        percentiles = (said["latency_ms"]["service"] or {}).get("percentiles", {})
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f"epkit: not a report of epkit bench: {error!r}") from error
    if counts["failed"] or counts["ok"] != counts["sent"]:
        raise OutputError(f"epkit: {counts['failed']} of {counts['sent']} requests failed")
    return Measured(
        requests=counts["ok"],
        requests_per_s=throughput["requests_per_s"],
        p50_ms=percentiles.get("50"),
        p99_ms=percentiles.get("99"),
    )


def from_python_client(report: str) -> Measured:
    """Read the output of `python_clients.py`."""
    return Measured(**json.loads(report))


def imported(importtime: str) -> set[str]:
    """Return the top-level packages in the output of `python -X importtime` on stderr.

    Source: docs.python.org, using/cmdline: `import time: self [us] | cumulative | imported package`.
    """
    names = re.findall(r"^import time:\s+\d+ \|\s+\d+ \|\s+(\S+)$", importtime, re.MULTILINE)
    return {name.partition(".")[0] for name in names}


def find(pattern: str, text: str, program: str) -> str:
    """Return the first group of *pattern*, which must match somewhere in *text*."""
    found = re.search(pattern, text, re.MULTILINE)
    if found is None:
        raise OutputError(f"{program}: no {pattern!r} in its report")
    return found[1]
