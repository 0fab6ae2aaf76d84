"""The runs of `--repeat` side by side, and the variation within an arm."""

import statistics
from collections.abc import Iterator, Sequence

from epkit.core.http.masking import clean
from epkit.core.report.report import Report
from epkit.core.report.wording import plural
from epkit.reporters.parts.layout import wrap
from epkit.reporters.parts.markdown import code

ASK = "epkit compare tells whether a difference is real"
COLUMNS = ("requests/s", "p50 (ms)", "p90 (ms)", "p99 (ms)", "failed")


def text(runs: Sequence[Report]) -> str:
    """Render runs for people.

    Args:
        runs: in the order in which they were made, at least one. They have one target, or alternate between two.
    """
    names = _names(runs)
    lines = [f"{'Run':<4}{'arm':<4}" + "".join(f"{column:>12}" for column in COLUMNS)]
    for number, run in enumerate(runs, 1):
        mark = "" if run.validity.valid else "  not valid"
        figures = "".join(f"{cell:>12}" for cell in cells(run))
        lines.append(f"{number:<4}{names[run.run.target]:<4}{figures}{mark}")
    sections = [
        [f"{plural(len(runs), 'run')} of {plural(len(names), 'target')}"]
        + [f"{name}: {clean(target, 1000)}" for target, name in names.items()],
        lines,
        [f"{'Means':<8}" + "".join(f"{column:>18}" for column in COLUMNS[:-1])]
        + [f"{name:<8}" + "".join(f"{mean:>18}" for mean in means) for name, means in _means(runs)],
        wrap(f"The figure after +/- is the standard deviation from run to run; {ASK}."),
    ]
    return "\n\n".join("\n".join(section) for section in sections) + "\n"


def markdown(runs: Sequence[Report]) -> str:
    """Render runs as a GitHub-flavoured table."""
    names = _names(runs)
    lines = ["### epkit bench: repeated runs", ""]
    lines += [f"- {name}: `{code(target)}`" for target, name in names.items()]
    lines += ["", "| run | arm | " + " | ".join(COLUMNS) + " |", "|---|---|" + "---:|" * len(COLUMNS)]
    for number, run in enumerate(runs, 1):
        lines.append(f"| {number} | {names[run.run.target]} | " + " | ".join(cells(run)) + " |")
    return "\n".join(lines) + "\n"


def _names(runs: Sequence[Report]) -> dict[str, str]:
    return {target: "AB"[place] for place, target in enumerate(dict.fromkeys(run.run.target for run in runs))}


def _values(run: Report) -> list[float | None]:
    # Since due, if the requests had due times; otherwise the same as the service time.
    times = run.latency_ms.response
    return [run.throughput.requests_per_s, *(times.percentiles[p] if times else None for p in ("50", "90", "99"))]


def cells(run: Report) -> list[str]:
    """Format the figures of a run, in the order of `COLUMNS`."""
    values = ["–" if value is None else f"{value:.3f}" for value in _values(run)]
    return [*values, f"{run.counts.failed}/{run.counts.sent}"]


def _means(runs: Sequence[Report]) -> Iterator[tuple[str, list[str]]]:
    for target, name in _names(runs).items():
        columns = zip(*(_values(run) for run in runs if run.run.target == target), strict=True)
        yield name, [_mean([value for value in column if value is not None]) for column in columns]


def _mean(values: list[float]) -> str:
    if not values:
        return "–"
    spread = f" +/- {statistics.stdev(values):.2g}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4g}{spread}"
