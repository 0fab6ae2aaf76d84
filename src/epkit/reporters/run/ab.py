"""A run in the output format of ab 2.3, for comparison with old numbers: layout, arithmetic, definition of failure.

For ab, a status of 400 or an empty reply is not a failure; a reply whose length differs from the first one's is. The
banner says that epkit wrote it; from `Server Software:` on, the text equals ab's.

Source: `output_results` of apache/httpd, `support/ab.c`, branch 2.4.x.
"""

from epkit.core.report.ab import AbReport, AbRow, AbSummary, round_ms
from epkit.core.report.report import Report

PROGRESS_ABOVE = 150
"""Above this number of requests, and without -q, ab shows progress and uses another banner."""

UNBOUNDED = 50_000
"""The number of requests that ab sends with a time limit."""


def render(
    report: Report,
    ab: AbReport,
    *,
    percentiles: bool = True,
    deviations: bool = True,
    quiet: bool = False,
    variable_length: bool = False,
) -> str:
    """Render a run in ab's layout.

    Args:
        report: source of the head block and the derived rates.
        ab: the same run in ab's arithmetic.
        percentiles: False for ab's -d.
        deviations: False for ab's -S: no median, no deviation, no warnings.
        quiet: ab's -q, which changes the banner.
        variable_length: ab's -l: replies may differ in length.
    """
    lines = [
        *_banner(report, quiet=quiet),
        *_server(report),
        *_head(report, ab.count, variable_length=variable_length),
        *_rates(report, ab.count),
    ]
    if ab.summary:
        lines += _connection_times(ab.summary, deviations=deviations)
        if deviations:
            lines += ab.messages
    if percentiles and ab.percentiles:
        lines += _percentiles(ab.percentiles)
    return "\n".join(lines) + "\n"


def _banner(report: Report, *, quiet: bool) -> list[str]:
    asked = report.plan.requests or UNBOUNDED
    if asked > PROGRESS_ABOVE and not quiet:
        dots, gap = "", ["", ""]
    elif report.run.partial:
        dots, gap = "...", [""]  # an interrupted ab does not print "done"
    else:
        dots, gap = ".....done", ["", ""]
    return [
        f"This is epkit {report.tool.version}, ab's layout and arithmetic",
        "",
        f"Benchmarking {report.http.host} (be patient){dots}",
        *gap,
    ]


def _server(report: Report) -> list[str]:
    http = report.http
    lines = [
        f"Server Software:        {http.server}",
        f"Server Hostname:        {http.host}",
        f"Server Port:            {http.port}",
    ]
    if http.tls is not None:
        lines.append(f"SSL/TLS Protocol:       {http.tls}")
        if http.server_name is not None:
            lines.append(f"TLS Server Name:        {http.server_name}")
    return lines


def _head(report: Report, count: int, *, variable_length: bool) -> list[str]:
    http = report.http
    length = 0 if variable_length else http.length_differs
    failed = http.connect_failed + http.receive_failed + length
    lines = [
        "",
        f"Document Path:          {http.path}",
        f"Document Length:        {'Variable' if variable_length else f'{http.document_bytes} bytes'}",
        "",
        f"Concurrency Level:      {report.plan.concurrency}",
        f"Time taken for tests:   {report.run.duration_s:.3f} seconds",
        f"Complete requests:      {count}",
        f"Failed requests:        {failed}",
    ]
    if failed:
        kinds = f"Connect: {http.connect_failed}, Receive: {http.receive_failed}, Length: {length}"
        lines.append(f"   ({kinds}, Exceptions: 0)")
    if http.non_2xx:
        lines.append(f"Non-2xx responses:      {http.non_2xx}")
    if report.plan.keepalive:
        lines.append(f"Keep-Alive requests:    {http.kept_alive}")
    lines.append(f"Total transferred:      {http.bytes_in} bytes")
    if report.run.payloads:
        lines.append(f"Total body sent:        {http.bytes_out}")
    lines.append(f"HTML transferred:       {http.body_bytes_in} bytes")
    return lines


def _rates(report: Report, count: int) -> list[str]:
    http, duration = report.http, report.run.duration_s
    if not (count and duration > 0):
        return []
    each = duration * 1000 / count
    lines = [
        f"Requests per second:    {count / duration:.2f} [#/sec] (mean)",
        f"Time per request:       {report.plan.concurrency * each:.3f} [ms] (mean)",
        f"Time per request:       {each:.3f} [ms] (mean, across all concurrent requests)",
        f"Transfer rate:          {http.bytes_in / 1024 / duration:.2f} [Kbytes/sec] received",
    ]
    if report.run.payloads:
        both = http.bytes_in + http.bytes_out
        lines.append(f"                        {http.bytes_out / 1024 / duration:.2f} kb/s sent")
        lines.append(f"                        {both / 1024 / duration:.2f} kb/s total")
    return lines


def _connection_times(summary: AbSummary, *, deviations: bool) -> list[str]:
    columns = "min  mean[+/-sd] median   max" if deviations else "min   avg   max"
    return [
        "",
        "Connection Times (ms)",
        f"              {columns}",
        f"Connect:    {_row(summary.connect, deviations=deviations)}",
        f"Processing: {_row(summary.processing, deviations=deviations)}",
        f"Waiting:    {_row(summary.waiting, deviations=deviations)}",
        f"Total:      {_row(summary.total, deviations=deviations)}",
    ]


def _row(row: AbRow, *, deviations: bool) -> str:
    low, mean, median, high = (round_ms(us) for us in (row.min, row.mean, row.median, row.max))
    if deviations:
        return f"{low:5d} {mean:4d} {row.sd / 1000:5.1f} {median:6d} {high:7d}"
    return f"{low:5d} {mean:5d}{high:5d}"


def _percentiles(percentiles: tuple[tuple[int, int], ...]) -> list[str]:
    return [
        "",
        "Percentage of the requests served within a certain time (ms)",
        *(f" {p:3d}%  {round_ms(us):5d}{' (longest request)' if p == 100 else ''}" for p, us in percentiles),
    ]
