"""A run as a small table, for a comment on a pull request."""

from epkit.core.report.report import Report
from epkit.reporters.parts.markdown import code, escape
from epkit.reporters.run import grid
from epkit.reporters.run.words import is_implicit, percentile_notes, said, verdict

PERCENTILES = ("50", "90", "99")


def render(report: Report) -> str:
    """Render a run as GitHub-flavoured Markdown: verdict, numbers with intervals, reasons."""
    *remarks, result = (remark.text for remark in verdict(report))
    lines = [
        f"### epkit bench: {escape(result)}",
        "",
        *(f"- {escape(remark)}" for remark in remarks),
        *([""] if remarks else []),
        "| | value | 95 % interval |",
        "|---|---:|---:|",
        *_rows(report),
        "",
        *_phases(report),
        *grid.markdown(report.grid),
        *_workers(report),
        *_reasons(report),
        _footer(report),
    ]
    return "\n".join(lines) + "\n"


def _rows(report: Report) -> list[str]:
    counts, rate, times = report.counts, report.throughput, report.latency_ms
    # In an open loop, a user also feels the wait before a late start.
    since, shown = (" since due", times.response) if report.plan.model == "open" else ("", times.service)
    rows = [f"| throughput | {rate.requests_per_s:.2f} requests/s | |"]
    if rate.rows_per_s is not None:
        rows.append(f"| rows | {rate.rows_per_s:.2f} rows/s | |")
    if shown:
        rows.append(f"| mean{since} | {shown.mean:.3f} ms | {_interval(shown.ci95.get('mean'))} |")
        for percent in PERCENTILES:
            interval = _interval(shown.ci95.get(percent))
            rows.append(f"| p{percent}{since} | {shown.percentiles[percent]:.3f} ms | {interval} |")
    rows.append(f"| failed | {counts.failed} of {counts.sent} | |")
    for threshold in report.thresholds:
        if not is_implicit(threshold):
            met = "met" if threshold.passed else "**missed**"
            rows.append(f"| `{code(threshold.expression)}` | {threshold.observed:.6g} | {met} |")
    return rows


def _phases(report: Report) -> list[str]:
    found = [escape(report.search.words), ""] if report.search else []
    if not report.phases:
        return found
    lines = [
        "| phase | load | requests/s | p50 since due | p99 since due | failed | |",
        "|---|---:|---:|---:|---:|---:|---|",
    ]
    for phase in report.phases:
        p50, p99 = (f"{phase.response.percentiles[p]:.3f} ms" if phase.response else "–" for p in ("50", "99"))
        mark = phase.mark or ("" if phase.measured else "apart")
        lines.append(
            f"| {escape(phase.name)} | {phase.load} | {phase.requests_per_s:.1f} | {p50} | {p99} | {phase.failed} | "
            f"{mark} |"
        )
    return [*found, *lines, ""]


def _workers(report: Report) -> list[str]:
    if not report.workers:
        return []
    lines = ["| worker | requests/s | p50 | p99 | failed | |", "|---|---:|---:|---:|---:|---|"]
    for worker in report.workers:
        p50, p99 = ("–" if ms is None else f"{ms:.3f} ms" for ms in (worker.p50, worker.p99))
        lost = "" if worker.lost is None else f"lost: {escape(worker.lost)}"
        name = escape(worker.name)
        lines.append(f"| {name} | {worker.requests_per_s:.1f} | {p50} | {p99} | {worker.failed} | {lost} |")
    return [*lines, ""]


def _reasons(report: Report) -> list[str]:
    lines = [f"- {example.count} × {example.kind}: `{code(said(example))}`" for example in report.failures]
    if service := report.latency_ms.service:
        lines += [f"- {escape(note)}" for note in percentile_notes(service, report.warnings)]
    return [*lines, ""] if lines else []


def _footer(report: Report) -> str:
    run, plan = report.run, report.plan
    load = f"c={plan.concurrency}" if plan.rate is None else f"{plan.rate:g} requests/s"
    made = f"{report.counts.sent} requests in {run.duration_s:.3f} s"
    return f"`{code(f'{run.method} {run.target}')}`, {load}, {made}, epkit {report.tool.version}"


def _interval(bounds: tuple[float, float] | None) -> str:
    return f"{bounds[0]:.3f} – {bounds[1]:.3f}" if bounds else "–"
