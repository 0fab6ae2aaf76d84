"""Reports of drift made by hand."""

from dataclasses import replace

from epkit.core.drift.report import ColumnDrift, DriftReport, DriftSample, SamplesClassifier


def column(name, psi, threshold, ranges, old, new, *, kind="number", part=None):
    """Make a column; its index determines whether it drifted."""
    return ColumnDrift(
        column=name, part=part, kind=kind, psi=psi, threshold=threshold, found=psi > threshold,
        ranges=ranges, old=old, new=new,
    )  # fmt: skip


def bank():
    """Make a drift report of the course's data, with two tables."""
    return DriftReport(
        old=DriftSample(name="early.csv", kind="table", rows=22097),
        new=DriftSample(name="late.csv", kind="table", rows=100),
        seed=0,
        level=0.02,
        tests=6,
        found=True,
        columns=(
            column("euribor3m", 4.688, 0.4031, ("to 4.855", "4.855 to 4.96", "above 4.96"), (9000, 8097, 5000), (99, 1, 0)),
            column("month", 4.609, 0.1861, ("may", "jul", "mar", "missing"), (12000, 10000, 0, 97), (50, 0, 45, 5), kind="category"),
            column("called", 0.09, 0.0712, ("to 2", "above 2"), (11000, 11097), (20, 80), kind="date", part="weekday"),
            column("loan", 0.00004, 0.0834, ("no", "yes"), (18000, 4097), (81, 19), kind="category"),
        ),
        label=column("y", 0.117, 0.245, ("no", "yes"), (20900, 1197), (85, 15), kind="category"),
        classifier=SamplesClassifier(auc=0.9993, threshold=0.5814, found=True, old_rows=3000, new_rows=100),
        schema=('column "job" is not in late.csv', 'column "age" is new in late.csv'),
        remarks=('column "month": 45 of 100 rows (45 %) with values that the reference does not have: "mar"',),
    )  # fmt: skip


def calm():
    """Make a report without drift: a card against a table without a label."""
    report = bank()
    return replace(
        report,
        old=DriftSample(name="model", kind="card", rows=22097),
        tests=1,
        found=False,
        columns=report.columns[3:],
        label=None,
        classifier=None,
        schema=(),
        remarks=(),
    )


def unlike():
    """Make a report of tables without a common column."""
    return replace(calm(), columns=(), schema=('column "a" is not in new.csv', 'column "b" is new in new.csv'), tests=0)


def wide():
    """Make a report of many columns, with many values each."""
    values = tuple(f"value {place}" for place in range(42))
    many = tuple(
        column(f"column {place}", 0.5 - place / 1000, 0.2, values, (10,) * 42, (12,) * 42, kind="category")
        for place in range(400)
    )
    return replace(bank(), columns=many, remarks=tuple(f"remark {place}" for place in range(60)))


def hostile(text):
    """Make a report in which every text from a table is *text*."""
    one = column(text, 1.0, 0.1, (text, "others"), (5, 5), (9, 1), kind="category")
    side = DriftSample(name=text, kind="table", rows=10)
    return replace(bank(), old=side, new=side, columns=(one,), label=one, schema=(text,), remarks=(text,))


ALL = {"bank": bank, "calm": calm, "unlike": unlike}
