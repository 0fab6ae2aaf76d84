"""A comparison as text of 80 columns, and as Markdown for a comment on a pull request."""

from collections.abc import Iterable

from epkit.core.http.masking import clean
from epkit.core.report.compare import FASTER, SLOWER, UNKNOWN, Arm, Change, Comparison
from epkit.core.report.wording import plural
from epkit.reporters.parts.layout import LABEL, wrap
from epkit.reporters.parts.markdown import code, escape


def render_text(comparison: Comparison) -> str:
    """Render a comparison as text, the verdict last."""
    sections = [
        [*_side("Base", comparison.base), *_side("New", comparison.new)],
        _table(comparison.metrics),
        [line for warning in comparison.warnings for line in wrap(f"Warning: {clean(warning, 1000)}")],
        [f"{'' if i else 'Gates:':<{LABEL}}{line}" for i, line in enumerate(_gates(comparison))],
        [line for entry in verdict(comparison) for line in wrap(entry)],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section) + "\n"


def render_markdown(comparison: Comparison) -> str:
    """Render a comparison as GitHub-flavoured Markdown."""
    *remarks, result = verdict(comparison)
    lines = [
        f"### epkit compare: {escape(result)}",
        "",
        *(f"- {escape(remark)}" for remark in remarks),
        *([""] if remarks else []),
        "| | base | new | change | 95 % interval | |",
        "|---|---:|---:|---:|---:|---|",
    ]
    for metric in comparison.metrics:
        words = said(metric)
        shown = f"**{words}**" if metric.verdict in (FASTER, SLOWER) else words
        lines.append(f"| {' | '.join((metric.name, *cells(metric)))} | {shown} |")
    lines.append("")
    gates = ((judged.gate.expression, "passed" if judged.passed else "**failed**") for judged in comparison.gates)
    lines += [f"- `{expression}`: {how}" for expression, how in gates]
    lines += [f"- {escape(warning)}" for warning in comparison.warnings]
    if comparison.gates or comparison.warnings:
        lines.append("")
    sides = (f"{name}: `{code(_who(arm))}`" for name, arm in (("base", comparison.base), ("new", comparison.new)))
    return "\n".join([*lines, ", ".join(sides)]) + "\n"


def verdict(comparison: Comparison) -> list[str]:
    """Return the result in words, the verdict last."""
    failed = [judged.gate.expression for judged in comparison.gates if not judged.passed]
    changed = [metric for metric in comparison.metrics if metric.verdict in (FASTER, SLOWER)]
    lines = [f"FAILED: {', '.join(failed)}"] if failed else []
    if all(metric.verdict == UNKNOWN for metric in comparison.metrics):
        return [*lines, "No verdict: no run-to-run information"]
    if not changed:
        return [*lines, f"No difference shown (a change counts from {100 * comparison.threshold:g}% on)"]
    worse = [metric for metric in changed if metric.verdict == SLOWER]
    better = [metric for metric in changed if metric.verdict == FASTER]
    changes = [(word, group) for word, group in (("worse", worse), ("better", better)) if group]
    parts = [
        f"{word} in {', '.join(f'{metric.name} ({_change(metric)})' for metric in group)}" for word, group in changes
    ]
    return [*lines, f"The new one is {' and '.join(parts)}"]


def said(metric: Change) -> str:
    """Return the verdict on a metric in words: of failures there are more or fewer, not slower or faster ones."""
    if metric.name == "failed" and metric.verdict in (FASTER, SLOWER):
        return "more failures" if metric.verdict == SLOWER else "fewer failures"
    return metric.verdict


def cells(metric: Change) -> tuple[str, str, str, str]:
    """Format a metric: base, new, change and its interval."""
    return _value(metric, metric.base), _value(metric, metric.new), _change(metric), _interval(metric)


def _side(label: str, arm: Arm) -> list[str]:
    return wrap(_who(arm), f"{label + ':':<{LABEL}}", " " * LABEL)


def _who(arm: Arm) -> str:
    return f"{clean(arm.name, 500)}, {plural(len(arm.reports), 'run')} of {clean(', '.join(arm.targets), 500)}"


def _table(metrics: Iterable[Change]) -> list[str]:
    lines = [f"{'':<11}{'base':>11}{'new':>11}{'change':>9}  {'95% interval':<18}verdict"]
    for metric in metrics:
        base, new, change, interval = cells(metric)
        lines.append(f"{metric.name:<11}{base:>11}{new:>11}{change:>9}  {interval:<18}{said(metric)}")
    return lines


def _value(metric: Change, value: float | None) -> str:
    if value is None:
        return "–"
    if metric.name == "failed":
        return f"{value:.2%}"
    return f"{value:.2f}/s" if metric.name in ("throughput", "rows") else f"{value:.3f} ms"


def _change(metric: Change) -> str:
    change = metric.change
    if change is None:
        return "–"
    return f"{100 * change:+.1f} pp" if metric.name == "failed" else _percent(change)


def _interval(metric: Change) -> str:
    if metric.name == "failed":
        return "–" if metric.difference is None else _bounds(metric.difference[1], metric.difference[2], " pp")
    return "–" if metric.ci95 is None else _bounds(metric.ci95[0] - 1, metric.ci95[1] - 1, "%")


def _bounds(low: float, high: float, unit: str) -> str:
    return f"{_percent(low, '')} to {_percent(high, unit)}"


def _percent(share: float, unit: str = "%") -> str:
    """Format a change; decimals of a change of more than a factor of two would be noise."""
    return f"{100 * share:+.{0 if abs(share) >= 1 else 1}f}{unit}"


def _gates(comparison: Comparison) -> list[str]:
    return [f"{judged.gate.expression} {'passed' if judged.passed else 'FAILED'}" for judged in comparison.gates]
