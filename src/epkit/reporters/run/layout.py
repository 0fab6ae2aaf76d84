"""The layout of milliseconds in the text report of a run: times, and percentiles."""

from epkit.core.stats.distribution import Distribution

SHOWN = ("50", "66", "75", "80", "90", "95", "98", "99", "99.9", "99.99")
"""Percentiles of the table; the last two only if the run has enough requests for them."""

Rows = list[tuple[str, Distribution | None, str]]
"""Label, values, remark; a row without values is left out."""


def times_table(rows: Rows, *, deviations: bool) -> list[str]:
    """Lay out min, mean, sd, median and max in ms; all columns have the width of the longest number."""
    heads = ["min", "mean", "[+/-sd]", "median", "max"] if deviations else ["min", "mean", "max"]
    table = [("", heads, "")]
    for label, values, remark in rows:
        if values:
            middle = [values.mean, values.sd, values.median] if deviations else [values.mean]
            cells = [f"{ms:.3f}" for ms in (values.min, *middle, values.max)]
            table.append((f"{label}:", cells, f"  {remark}" if remark else ""))
    width = max(9, *(len(cell) + 1 for _, cells, _ in table for cell in cells))
    return [f"{label:<12}{''.join(cell.rjust(width) for cell in cells)}{remark}" for label, cells, remark in table]


def percentile_table(values: Distribution) -> list[str]:
    """Lay out percentiles in ms with their intervals; a dash if the sample cannot support one."""
    width = max(9, len(f"{values.max:.3f}") + 1)
    lines = [f"{'':{width + 8}}   95% confidence interval"]
    for percent in SHOWN:
        interval = values.ci95.get(percent)
        if interval or float(percent) <= 99:
            sure = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "–"
            lines.append(f"{percent + '%':>7} {values.percentiles[percent]:{width}.3f}   {sure}")
    lines.append(f"{'100%':>7} {values.max:{width}.3f}   (longest request)")
    return lines
