"""The report for people: ab's layout with correct statistics, then values that ab does not report, the verdict last."""

from collections.abc import Iterable, Mapping, Sequence

from epkit.core.http.masking import clean
from epkit.core.report.caveats import Caveat, CaveatKind
from epkit.core.report.report import DeploymentInfo, FailureExample, Grid, PhaseInfo, Report, Threshold
from epkit.core.report.wording import plural
from epkit.reporters.parts.layout import LABEL, labelled, wrap
from epkit.reporters.run import slowest
from epkit.reporters.run.layout import Rows, percentile_table, times_table
from epkit.reporters.run.words import is_implicit, percentile_notes, said, verdict


def render(report: Report, *, percentiles: bool = True, deviations: bool = True) -> str:
    """Render a run for people: plain text of 80 characters per line.

    Args:
        percentiles: False leaves the percentiles out, like ab's -d.
        deviations: False leaves standard deviation and median out, like ab's -S.
    """
    swept, use = _sweep(report.grid)
    sections = [
        _title(report),
        _server(report),
        _document(report),
        _counts(report) + _rates(report),
        _connection_times(report, deviations=deviations),
        *(_percentiles(report) if percentiles else []),
        _shares(report, deviations=deviations),
        slowest.lines(report),
        _deployments(report.deployments),
        _phases(report.phases),
        swept,
        _workers(report),
        _health(report),
        _warnings(report.warnings),
        _thresholds(report.thresholds),
        wrap(clean(report.search.words, 1000)) if report.search else [],
        _failures(report.failures),
        [line for entry in verdict(report) for line in wrap(entry.text)],
        use,
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def _sweep(found: Grid | None) -> tuple[list[str], list[str]]:
    """Lay out a sweep of batch sizes, and the recommended command; the code for this is imported only for a sweep."""
    if found is None:
        return [], []
    from epkit.reporters.run import grid

    return grid.text(found), grid.ending(found)


def _title(report: Report) -> list[str]:
    tool, run = report.tool, report.run
    return [f"epkit {tool.version}, {tool.engine} engine, {run.started_at}", f"{run.method} {run.target}"]


def _server(report: Report) -> list[str]:
    http = report.http
    lines = [
        labelled("Server Software", clean(http.server, 1000)),
        labelled("Server Hostname", http.host),
        labelled("Server Port", http.port),
    ]
    if http.tls is not None:
        lines.append(labelled("SSL/TLS Protocol", http.tls))
        if http.server_name is not None:
            lines.append(labelled("TLS Server Name", http.server_name))
    return lines


def _document(report: Report) -> list[str]:
    payloads = report.run.payloads
    lines = [
        labelled("Document Path", report.http.path),
        labelled("Document Length", f"{report.http.document_bytes} bytes"),
    ]
    if len(payloads) == 1:
        lines.append(labelled("Payload", f"{payloads[0].name}, {payloads[0].bytes} bytes"))
    elif payloads:
        sizes = [payload.bytes for payload in payloads]
        lines.append(labelled("Payloads", f"{len(payloads)} of {min(sizes)} to {max(sizes)} bytes"))
    return lines


def _counts(report: Report) -> list[str]:
    counts, http, plan, sending_s = report.counts, report.http, report.plan, report.throughput.sending_s
    lines = [labelled("Concurrency Level", plan.concurrency)]
    if plan.rate is not None:
        arrivals = f", {plan.arrivals} arrivals" if plan.arrivals else ""
        lines.append(labelled("Planned rate", f"{plan.rate:g} [#/sec]{arrivals}"))
    lines += [
        labelled("Time taken for tests", f"{report.run.duration_s:.3f} seconds"),
        *([] if sending_s is None else [labelled("Time of sending", f"{sending_s:.3f} seconds, which rates are over")]),
        labelled("Complete requests", counts.completed),
        labelled("Failed requests", counts.failed),
    ]
    if kinds := ", ".join(f"{kind}: {count}" for kind, count in counts.failures.items() if count):
        lines += wrap(f"({kinds})", "   ", "    ")
    if http.non_2xx:
        lines.append(labelled("Non-2xx responses", http.non_2xx))
    if counts.retried:
        lines.append(labelled("Retried requests", counts.retried))
    if plan.keepalive:
        lines.append(labelled("Keep-Alive requests", http.kept_alive))
    return [
        *lines,
        labelled("Connections made", http.connections),
        labelled("Total transferred", f"{http.bytes_in} bytes"),
        labelled("Total sent", f"{http.bytes_out} bytes"),
        labelled("HTML transferred", f"{http.body_bytes_in} bytes"),
    ]


def _rates(report: Report) -> list[str]:
    rate, plan = report.throughput, report.plan
    if not rate.requests_per_s:
        return []
    lines = [labelled("Requests per second", f"{rate.requests_per_s:.2f} [#/sec] (mean)")]
    if report.counts.failed:
        lines.append(labelled("Successes per second", f"{rate.ok_per_s:.2f} [#/sec] (mean)"))
    if rate.rows_per_s is not None:
        lines.append(labelled("Rows per second", f"{rate.rows_per_s:.2f} [rows/sec] (mean, of successes)"))
    steady = sum(phase.measured for phase in report.phases) <= 1
    if plan.model == "closed" and steady:  # in an open loop the plan sets the rate, and it does not depend on the times
        each = 1000 / rate.requests_per_s
        lines += [
            labelled("Time per request", f"{each * plan.concurrency:.3f} [ms] (mean)"),
            labelled("Time per request", f"{each:.3f} [ms] (mean, across all concurrent requests)"),
        ]
    received, sent = rate.bytes_in_per_s / 1024, rate.bytes_out_per_s / 1024
    return [
        *lines,
        labelled("Transfer rate", f"{received:.2f} [Kbytes/sec] received"),
        f"{'':{LABEL}}{sent:.2f} kb/s sent",
        f"{'':{LABEL}}{received + sent:.2f} kb/s total",
    ]


def _connection_times(report: Report, *, deviations: bool) -> list[str]:
    times, ok = report.latency_ms, report.counts.ok
    if times.service is None:
        lines = ["No request succeeded, so there are no times of successful requests."]
        if times.failed:
            failed: Rows = [("Failed", times.failed, "")]
            lines += ["", "Times of the failed requests (ms)", *times_table(failed, deviations=deviations)]
        return lines
    opened = times.connect.count if times.connect else 0
    rows: Rows = [
        ("Connect", times.connect, plural(opened, "connection")),
        ("TLS", times.tls, ""),
        ("Processing", times.processing, ""),
        ("Waiting", times.waiting, ""),
        ("Total", times.service, ""),
    ]
    whose = f", {plural(ok, 'successful request')}" if report.counts.failed else ""
    return [f"Connection Times (ms){whose}", *times_table(rows, deviations=deviations)]


def _percentiles(report: Report) -> list[list[str]]:
    service, response = report.latency_ms.service, report.latency_ms.response
    title = "Percentage of the requests served within a certain time (ms)"
    if service is None:
        return []
    notes = [line for note in percentile_notes(service, report.warnings) for line in wrap(note)]
    sections = [[title, *percentile_table(service), *notes] if service.count > 1 else notes]
    counted = response is not None and response.count > service.count  # failures, as infinite times
    if response and response.count > 1 and (report.plan.model == "open" or counted):
        whose = ", since due, failures counted as infinite" if counted else ", since due"
        sections.append([*wrap(title + whose, rest=""), *percentile_table(response)])
    return sections


def _shares(report: Report, *, deviations: bool) -> list[str]:
    times = report.latency_ms
    rows: Rows = [
        ("Server", times.server, ""),
        ("Network", times.network, ""),
        ("Transfer", times.transfer, ""),
        ("Response", times.response if report.plan.model == "open" else None, "since due"),
        ("Failed", times.failed, f"{report.counts.failed} failed"),
    ]
    if times.service is None or not any(values for _, values, _ in rows):
        return []
    lines = ["Where the time went (ms)", *times_table(rows, deviations=deviations)]
    if times.server and times.network and (both := times.server.mean + times.network.mean) > 0:
        share = times.server.mean / both
        lines.append(f"By the server's own figures, it took {share:.0%} of the time and the network {1 - share:.0%}.")
    return lines


def _deployments(deployments: Mapping[str, DeploymentInfo]) -> list[str]:
    if not deployments:
        return []
    width = max(LABEL, *(len(name) + 1 for name in deployments))
    lines = [f"{'Deployments':<{width}}{'ok':>9}{'failed':>9}{'p50 (ms)':>12}{'p99 (ms)':>12}"]
    for name, info in deployments.items():
        p50, p99 = (f"{info.service.percentiles[p]:.3f}" if info.service else "–" for p in ("50", "99"))
        lines.append(f"{clean(name, 1000):<{width}}{info.ok:>9}{info.failed:>9}{p50:>12}{p99:>12}")
    return lines


def _phases(phases: Sequence[PhaseInfo]) -> list[str]:
    """Report each phase separately: throughput, response times, findings."""
    if not phases:
        return []
    width = max(len("Phases"), *(len(phase.name) for phase in phases)) + 1
    load = max(len(phase.load) for phase in phases)
    head = f"{'Phases':<{width}} {'load':>{load}}{'sent':>8}{'failed':>7}{'req/s':>10}{'p50 (ms)':>10}{'p99 (ms)':>10}"
    lines = [head]
    for phase in phases:
        p50, p99 = (f"{phase.response.percentiles[p]:.3f}" if phase.response else "–" for p in ("50", "99"))
        mark = f"  {phase.mark}" if phase.mark else "" if phase.measured else "  apart"
        lines.append(
            f"{phase.name:<{width}} {phase.load:>{load}}{phase.sent:>8}{phase.failed:>7}{phase.requests_per_s:>10.1f}"
            f"{p50:>10}{p99:>10}{mark}"
        )
    return lines


def _workers(report: Report) -> list[str]:
    """Report each worker separately, and the differences between their start times."""
    if not report.workers:
        return []
    width = max(LABEL // 2, *(len(clean(worker.name, 100)) + 1 for worker in report.workers))
    heads = ("sent", "failed", "req/s", "p50 (ms)", "p99 (ms)", "CPU (us)", "lag p99")
    widths = (9, 8, 10, 10, 10, 9, 8)
    lines = [f"{'Workers':<{width}}{''.join(head.rjust(wide) for head, wide in zip(heads, widths, strict=True))}"]
    for worker in report.workers:
        p50, p99 = ("–" if ms is None else f"{ms:.3f}" for ms in (worker.p50, worker.p99))
        rate, cpu, lag = f"{worker.requests_per_s:.1f}", f"{worker.cpu_us_per_request:.1f}", worker.lag_ms["p99"]
        cells = (str(worker.sent), str(worker.failed), rate, p50, p99, cpu, f"{lag:.3f}")
        lost = "  lost" if worker.lost else ""
        name = f"{clean(worker.name, 100):<{width}}"
        lines.append(f"{name}{''.join(cell.rjust(wide) for cell, wide in zip(cells, widths, strict=True))}{lost}")
    known = max(worker.clock_error_ms for worker in report.workers)
    sure = f", their clocks known to {known:.3f} ms" if known else ""
    lines.append(f"They began within {report.generator.start_spread_ms:.3f} ms{sure}.")
    return lines


def _health(report: Report) -> list[str]:
    generator, lines = report.generator, []
    if report.counts.statuses:
        statuses = ", ".join(f"{count} x {status}" for status, count in report.counts.statuses.items())
        lines += wrap(statuses, f"{'Status codes:':<{LABEL}}", " " * LABEL)
    used = f"{generator.cpu_us_per_request:.1f} us a request, {generator.cpu_utilisation:.1%} of a core"
    lines.append(labelled("Generator CPU", used))
    if lag := ", ".join(f"{name} {ms:.3f}" for name, ms in generator.lag_ms.items()):
        lines.append(labelled("Generator lag", f"{lag} [ms]"))
    if generator.limited:
        lines.append(labelled("Generator limits", "yes, the times include its own delays"))
    if generator.late_starts:
        lines.append(labelled("Late starts", f"{generator.late_starts} of {report.counts.sent}"))
    return [*lines, labelled("Run is valid", "yes" if report.validity.valid else "no")]


def _warnings(warnings: Iterable[Caveat]) -> list[str]:
    # Warnings about too few requests are shown with the percentiles.
    others = [warning for warning in warnings if warning.kind is not CaveatKind.SMALL_SAMPLE]
    return [line for warning in others for line in wrap(f"Warning: {clean(warning.text, 1000)}")]


def _thresholds(thresholds: Iterable[Threshold]) -> list[str]:
    explicit = [threshold for threshold in thresholds if not is_implicit(threshold)]
    return [
        f"{'' if i else 'Thresholds:':<{LABEL}}{threshold.expression} "
        f"{'met' if threshold.passed else 'missed'} (observed {threshold.observed:.6g})"
        for i, threshold in enumerate(explicit)
    ]


def _failures(failures: Iterable[FailureExample]) -> list[str]:
    lines = []
    for example in failures:
        lines += wrap(f"{example.count} x {example.kind}: {said(example)}", "  ", "      ")
        lines += [f"      {example.id}"] if example.id is not None else []
        lines += wrap(clean(example.advice, 1000), "      ", "      ")
    return ["Failures, with the first reply of each kind", *lines] if lines else []
