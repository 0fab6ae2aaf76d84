"""Hand-made reports of trainings: fixed clock, fixed version, figures like those of the course."""

import math
from dataclasses import replace

from epkit.core.train.report import (
    Artefact,
    Base,
    Best,
    ClassThreshold,
    Cohort,
    ColumnInfo,
    Confusion,
    Curve,
    DataInfo,
    Effect,
    ErrorLeaf,
    Figure,
    Gate,
    Importance,
    JudgedRows,
    Leak,
    RunInfo,
    TrainingJob,
    TrainReport,
    VoteMember,
)

COLUMNS = (
    ("age", "number", 0, 75), ("job", "category", 0, 12), ("marital", "category", 0, 4), ("education", "category", 0, 8),
    ("default", "category", 0, 3), ("housing", "category", 0, 3), ("loan", "category", 0, 3),
    ("contact", "category", 0, 2), ("month", "category", 0, 10), ("day_of_week", "category", 0, 5),
    ("duration", "number", 0, 1441), ("campaign", "number", 0, 42), ("pdays", "number", 0, 27),
    ("previous", "number", 0, 8), ("poutcome", "category", 0, 3), ("emp.var.rate", "number", 0, 10),
    ("cons.price.idx", "number", 0, 26), ("cons.conf.idx", "number", 0, 26), ("euribor3m", "number", 0, 315),
    ("nr.employed", "number", 0, 11), ("client", "id", 0, 32950), ("batch", "constant", 0, 1),
)  # fmt: skip
FAMILIES = ("gbdt", "extra", "gbdt", "forest", "gbdt", "dart")


def figure(value, half=0.003, sd=0.002):
    """Make a figure whose interval has the same width on both sides."""
    return Figure(value=round(value, 6), sd=sd, ci95=(round(value - half, 6), round(value + half, 6)))


def run(number, family, value, behind, metric="AUC", **parameters):
    """Make a run; its difference from the best decides whether it is distinguishable from it."""
    metrics = {metric: figure(value), "accuracy": figure(value - 0.033), "log_loss": figure(1.12 - value, 0.004)}
    return RunInfo(
        run=number,
        family=family,
        parameters=parameters,
        state="done",
        metrics=metrics,
        behind=figure(behind, 0.0012, 0.0008) if behind else None,
        distinguishable=behind > 0.0012,
        rounds=120 + number if family in FAMILIES else None,
        cpu_s=0.4 if family in ("naive", "linear") else 3.5 + number % 5,
    )


def failed(number, error="LightGBM: the leaf has no rows"):
    """Make a run that failed."""
    return replace(run(number, "gbdt", 0, 0), state="failed", metrics={}, rounds=None, error=error)


def vote(value, behind):
    """Make the vote as it is in the leaderboard: the last run, judged on rows that did not choose it."""
    made = run(86, "vote", value, behind)
    return replace(made, parameters={"3": 0.5, "28": 0.3, "2": 0.2}, cpu_s=0.0)


def search(runs=85, best=0.9503):
    """Make the runs of a search; in a long search run 41 failed."""
    numbers = [number for number in range(3, runs + 1) if number != 41]
    losses = {number: 0.0002 * (number * 37 % 83) for number in numbers}
    losses = {number: round(loss - min(losses.values()), 6) for number, loss in losses.items()}
    found = {1: run(1, "naive", 0.5, best - 0.5), 2: run(2, "linear", best - 0.0141, 0.0141, C=1.0)}
    for number in numbers:
        found[number] = run(
            number,
            FAMILIES[number % 6],
            best - losses[number],
            losses[number],
            learning_rate=round(0.01 * (1 + number % 9), 3),
            num_leaves=7 + number % 60,
            min_data_in_leaf=20 + number,
            feature_fraction=0.7,
            lambda_l2=round(0.1 * (number % 4), 1),
        )
    if runs > 40:
        found[41] = failed(41)
    return tuple(found[number] for number in sorted(found))


def roc(power, points=41):
    """Make a ROC curve; a smaller *power* is better."""
    x = tuple(round((i / (points - 1)) ** 2, 5) for i in range(points))
    return Curve(x=x, y=tuple(round(value**power, 5) for value in x))


def precision_recall(base, points=41):
    x = tuple(i / (points - 1) for i in range(points))
    return Curve(x=x, y=tuple(round(base + (0.95 - base) * (1 - value**3), 5) for value in x))


def judged(rows, auc=0.9497, half=0.006):
    return JudgedRows(
        rows=rows,
        metrics={
            "AUC": figure(auc, half),
            "accuracy": figure(0.9174, half),
            "accuracy_at_threshold": figure(0.9174, half),
            "average_precision": figure(0.6702, 2 * half),
            "f1": figure(0.5708, 2 * half),
            "mcc": figure(0.5390, 2 * half),
            "log_loss": figure(0.1694, half),
            "norm_macro_recall": figure(0.4801, 2 * half),
        },
        confusion=Confusion(classes=("no", "yes"), counts=((5712, 136), (408, 334))),
        roc={"yes": roc(0.055)},
        precision_recall={"yes": precision_recall(0.11)},
        calibration=Curve(
            x=(0.001, 0.004, 0.008, 0.014, 0.022, 0.035, 0.06, 0.12, 0.28, 0.64),
            y=(0.0, 0.003, 0.009, 0.012, 0.027, 0.03, 0.071, 0.11, 0.31, 0.61),
        ),
        ece=0.0081,
    )


IMPORTANCES = (
    ("duration", 0.412), ("euribor3m", 0.171), ("nr.employed", 0.108), ("month", 0.082), ("cons.conf.idx", 0.041),
    ("pdays", 0.035), ("emp.var.rate", 0.031), ("poutcome", 0.024), ("contact", 0.021), ("job", 0.018), ("age", 0.016),
    ("day_of_week", 0.014), ("campaign", 0.011), ("education", 0.008), ("cons.price.idx", 0.008),
)  # fmt: skip

COHORTS = (
    ("duration in [1,206, 4,918]", ("duration",), "[1,206, 4,918]", 127, 0.622, 0.6850, 0.08),
    ("poutcome = success", ("poutcome",), "success", 214, 0.651, 0.7430, 0.055),
    ("month = mar and job = student", ("month", "job"), "mar, student", 31, 0.52, 0.7742, 0.15),
    ("month = mar", ("month",), "mar", 88, 0.505, 0.7955, 0.085),
    ("month = oct", ("month",), "oct", 115, 0.44, 0.8087, 0.07),
    ("job = student", ("job",), "student", 141, 0.31, 0.8227, 0.06),
    ("age in [61, 98]", ("age",), "[61, 98]", 149, 0.45, 0.8322, 0.06),
    ("job = retired", ("job",), "retired", 272, 0.25, 0.8603, 0.04),
    ("job = admin.", ("job",), "admin.", 1668, 0.13, 0.9047, 0.014),
    ("job = blue-collar", ("job",), "blue-collar", 1480, 0.07, 0.9439, 0.012),
    ("month = may", ("month",), "may", 2203, 0.065, 0.9478, 0.009),
)

ERRORS = (
    ErrorLeaf(path=("duration <= 205", "nr.employed <= 5088"), rows=412, error=0.171),
    ErrorLeaf(path=("duration <= 205", "nr.employed > 5088"), rows=2804, error=0.0039),
    ErrorLeaf(path=("duration > 205", "nr.employed <= 5088", "poutcome = success"), rows=161, error=0.2609),
    ErrorLeaf(path=("duration > 205", "nr.employed <= 5088", "poutcome is not success"), rows=392, error=0.3061),
    ErrorLeaf(path=("duration > 205", "nr.employed > 5088", "duration <= 492"), rows=1920, error=0.0464),
    ErrorLeaf(path=("duration > 205", "nr.employed > 5088", "duration > 492"), rows=901, error=0.2852),
)

EFFECTS = (
    Effect(
        column="duration",
        labels=("0 to 63", "63 to 102", "102 to 145", "145 to 203", "203 to 319", "319 to 644", "644 to 4,918"),
        x=(31.5, 82.5, 123.5, 174.0, 261.0, 481.5, 2781.0),
        predicted=(0.021, 0.034, 0.052, 0.075, 0.112, 0.205, 0.488),
        observed=(0.001, 0.012, 0.038, 0.061, 0.109, 0.186, 0.512),
        rows=(941, 940, 943, 941, 942, 1420, 463),
    ),
    Effect(
        column="month",
        labels=("apr", "aug", "dec", "jul", "jun", "mar", "may", "nov", "oct", "sep"),
        x=None,
        predicted=(0.162, 0.108, 0.19, 0.104, 0.118, 0.331, 0.081, 0.101, 0.187, 0.19),
        observed=(0.205, 0.106, 0.489, 0.09, 0.105, 0.505, 0.064, 0.101, 0.439, 0.449),
        rows=(421, 988, 29, 1148, 851, 88, 2203, 656, 115, 91),
    ),
    Effect(
        column="euribor3m",
        labels=("0.634 to 1.3", "1.3 to 4.19", "4.19 to 4.86", "4.86 to 4.96", "4.96 to 5.05"),
        x=(0.97, 2.7, 4.5, 4.91, 5.0),
        predicted=(0.23, 0.14, 0.075, 0.061, 0.06),
        observed=(0.29, 0.12, 0.05, 0.05, 0.048),
        rows=(1650, 1321, 1206, 1204, 1209),
    ),
)

GATES = (
    Gate(
        expression="AUC>=0.94",
        state="passed",
        observed=0.9497,
        ci95=(0.9437, 0.9557),
        wanted=0.94,
        rows=6590,
        reason=None,
    ),
    Gate(
        expression="cohort(job).accuracy>=0.85",
        state="missed",
        observed=0.8227,
        ci95=(0.7627, 0.8827),
        wanted=0.85,
        rows=141,
        reason="job = student: accuracy is 0.8227 of 141 rows, not >= 0.85",
    ),
    Gate(
        expression="AUC>=base-0.002",
        state="not judged",
        observed=None,
        ci95=None,
        wanted=None,
        rows=120,
        reason="cannot be judged: 120 rows that neither model was trained on, and 200 are needed",
    ),
)


def bank():
    """The course's table: a vote, one gate missed and one not judged, and a column that is known too late."""
    return TrainReport(
        version="0.1.0",
        started_at="2026-11-23T22:12:00.123Z",
        duration_s=214.5,
        partial=False,
        data=DataInfo(
            path="bank.csv",
            sha256="ab" * 32,
            rows=32950,
            unlabelled=12,
            test_rows=6590,
            duplicates=9,
            label="y",
            task="binary",
            positive="yes",
            classes={"no": 29258, "yes": 3692},
            columns=tuple(ColumnInfo(name=n, kind=k, missing=m, distinct=d) for n, k, m, d in COLUMNS),
        ),
        plan={"label": "y", "runs": 85, "folds": 5, "seed": 0, "metric": "AUC", "test_size": 0.2},
        metric="AUC",
        runs=(*search(), vote(0.9501, 0.0001)),
        best=Best(
            kind="vote",
            members=(
                VoteMember(run=3, family="gbdt", weight=0.5),
                VoteMember(run=28, family="gbdt", weight=0.3),
                VoteMember(run=2, family="linear", weight=0.2),
            ),
            validation={"AUC": figure(0.9501), "accuracy": figure(0.9169)},
            optimism=0.0006,
        ),
        threshold=ClassThreshold(rule="0.5", value=0.5, f1=0.6521, f1_at_half=0.5708, f1_value=0.31),
        test=judged(6590),
        out_of_fold=judged(26360, 0.9501, 0.003),
        leaks=(Leak(column="duration", alone=0.8203, without=figure(0.8021, 0.006), disguise=False),),
        importance=tuple(
            Importance(name=name, share=share, permutation=figure(share / 4, 0.004)) for name, share in IMPORTANCES
        ),
        engineered=tuple(
            Importance(name=f"{name} = mar" if name == "month" else name, share=share) for name, share in IMPORTANCES
        ),
        effects=EFFECTS,
        cohorts=tuple(
            Cohort(
                where=where,
                columns=columns,
                value=value,
                rows=rows,
                positive=positive,
                metrics={
                    "accuracy_at_threshold": figure(accuracy, half),
                    "accuracy": figure(accuracy, half),
                    "AUC": figure(accuracy + 0.04, half),
                    "recall": figure(0.48, 2 * half),
                },
            )
            for where, columns, value, rows, positive, accuracy, half in COHORTS
        ),
        errors=ERRORS,
        base=Base(
            path="model-2026-10",
            rows=120,
            metrics={"AUC": figure(0.9481, 0.02), "accuracy": figure(0.9083, 0.03)},
            differences={"AUC": figure(0.0016, 0.004), "accuracy": figure(0.0091, 0.011)},
        ),
        gates=GATES,
        artefact=Artefact(
            path="model",
            sha256={"model.npz": "1f" * 32, "card.json": "2e" * 32, "score.py": "3d" * 32, "conda.yml": "4c" * 32},
            bytes={"model.npz": 412_338, "card.json": 41_204, "score.py": 12_410, "conda.yml": 214},
        ),
        warnings=(
            "batch is constant, and is left out",
            "9 rows are duplicates of others: they are on one side of a split",
        ),
    )


def digits():
    """Ten classes, one run of each family, all gates passed, and no test rows."""
    names = tuple(str(i) for i in range(10))
    base = bank()
    counts = tuple(
        tuple(150 - 4 * i if i == j else (i * 7 + j * 3) % 5 if (i + j) % 3 == 0 else 0 for j in range(10))
        for i in range(10)
    )
    figures = {"AUC": figure(0.9991, 0.0004), "accuracy": figure(0.9733, 0.008), "f1": figure(0.973, 0.008)}
    return replace(
        base,
        data=replace(
            base.data,
            path="digits.parquet",
            rows=1797,
            unlabelled=0,
            test_rows=0,
            duplicates=0,
            label="digit",
            task="multiclass",
            positive=None,
            classes=dict.fromkeys(names, 180),
            columns=tuple(ColumnInfo(name=f"pixel_{i}", kind="number", missing=i % 3, distinct=17) for i in range(64)),
        ),
        runs=search(12, 0.9991),
        best=Best(
            kind="run",
            members=(VoteMember(run=3, family="gbdt", weight=1.0),),
            validation=figures,
            optimism=None,
        ),
        threshold=None,
        test=None,
        out_of_fold=JudgedRows(
            rows=1797,
            metrics=figures,
            confusion=Confusion(classes=names, counts=counts),
            roc={name: roc(0.01 * (1 + i)) for i, name in enumerate(names)},
            precision_recall={name: precision_recall(0.5 + 0.03 * i) for i, name in enumerate(names)},
            calibration=Curve(x=(0.2, 0.5, 0.9), y=(0.25, 0.45, 0.93)),
            ece=0.012,
        ),
        leaks=(),
        importance=tuple(Importance(name=f"pixel_{i}", share=0.1 - 0.005 * i) for i in range(18)),
        engineered=(),
        effects=(),
        cohorts=(),
        errors=(),
        base=None,
        gates=(replace(GATES[0], observed=0.9991, ci95=(0.9987, 0.9995), rows=1797),),
        warnings=(),
    )


def rents():
    """A regression: no classes, a metric of which a lower value is better, cohorts of money."""
    base = bank()
    figures = {
        "rmse": figure(412.318, 14.2, 9.1),
        "mae": figure(268.02, 8.4, 5.0),
        "r2": figure(0.8124, 0.012),
        "spearman": figure(0.9013, 0.006),
    }
    return replace(
        base,
        metric="rmse",
        data=replace(base.data, path="rents.csv.gz", label="rent", task="regression", positive=None, classes={}),
        runs=tuple(
            replace(
                run(i, family, 0, 0.0),
                metrics={"rmse": figure(412.318 + 9.7 * place, 14.2, 9.1), "r2": figure(0.81 - 0.01 * place)},
                behind=figure(9.7 * place, 6.0, 3.0) if place else None,
                distinguishable=place > 0,
            )
            for place, (i, family) in enumerate([(4, "gbdt"), (3, "extra"), (2, "linear"), (1, "naive")])
        ),
        best=Best(
            kind="run", members=(VoteMember(run=4, family="gbdt", weight=1.0),), validation=figures, optimism=3.1
        ),
        threshold=None,
        test=JudgedRows(
            rows=6590, metrics=figures, confusion=None, roc={}, precision_recall={}, calibration=None, ece=None
        ),
        out_of_fold=JudgedRows(
            rows=26360,
            metrics=figures,
            confusion=None,
            roc={},
            precision_recall={},
            calibration=Curve(x=(410.0, 820.0, 1240.0, 2100.0), y=(430.5, 801.0, 1260.0, 2010.0)),
            ece=None,
        ),
        leaks=(),
        effects=(
            Effect(
                column="area",
                labels=("12 to 40", "40 to 70", "70 to 210"),
                x=(26.0, 55.0, 140.0),
                predicted=(520.0, 870.0, 1710.0),
                observed=(498.0, 901.0, 1745.0),
                rows=(2100, 2400, 2090),
            ),
        ),
        cohorts=(
            Cohort(
                where="city = Paris",
                columns=("city",),
                value="Paris",
                rows=812,
                positive=None,
                metrics={"rmse": figure(890.4, 44.0, 20.0), "mae": figure(610.2, 30.0, 12.0)},
            ),
            Cohort(
                where="city = Lyon",
                columns=("city",),
                value="Lyon",
                rows=301,
                positive=None,
                metrics={"rmse": figure(333.4, 24.0, 20.0), "mae": figure(210.2, 30.0, 12.0)},
            ),
        ),
        errors=tuple(replace(leaf, error=round(1000 * leaf.error, 1)) for leaf in ERRORS),
        base=None,
        gates=(),
        warnings=(),
    )


def tiny():
    """Ten rows, interrupted in the first run: almost nothing can be reported."""
    base = bank()
    empty = JudgedRows(
        rows=10,
        metrics={"AUC": Figure(value=0.5)},
        confusion=None,
        roc={},
        precision_recall={},
        calibration=None,
        ece=None,
    )
    return replace(
        base,
        partial=True,
        duration_s=0.2,
        data=replace(
            base.data,
            rows=10,
            unlabelled=0,
            test_rows=0,
            duplicates=0,
            classes={"no": 8, "yes": 2},
            columns=base.data.columns[:1],
        ),
        runs=(replace(base.runs[0], metrics={"AUC": Figure(value=0.5)}, behind=None),),
        best=Best(
            kind="run",
            members=(VoteMember(run=1, family="naive", weight=1.0),),
            validation={"AUC": Figure(value=0.5)},
            optimism=None,
        ),
        threshold=ClassThreshold(rule="f1", value=0.2, f1=None, f1_at_half=None, f1_value=None),
        test=None,
        out_of_fold=empty,
        leaks=(),
        importance=(),
        engineered=(),
        effects=(),
        cohorts=(),
        errors=(),
        base=None,
        gates=(),
        artefact=None,
        warnings=("10 rows: no figure of this report is worth much",),
    )


HOSTILE = (
    "<script>alert(1)</script>",
    "]]> & \"quoted\" 'and' `ticks` | pipes # [a](javascript:1) @all",
    "\u202eevil\u202c \x1b[31mred\x1b[0m line\nbreak \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "\U0001f600" * 40,
    "x" * 500,
    "\ud800 half a pair",
)
"""Possible names and values of a table."""


def hostile(text):
    """A report in which every text from a table is *text*."""
    base = bank()
    named = replace(
        base,
        data=replace(
            base.data,
            path=text,
            label=text,
            positive=text,
            classes={text: 20, "no": 30},
            columns=(ColumnInfo(name=text, kind="category", missing=1, distinct=2),),
        ),
        runs=(replace(base.runs[3], parameters={text: text}), failed(41, text)),
        leaks=(Leak(column=text, alone=0.9999, without=None, disguise=True),),
        importance=(Importance(name=text, share=0.5, permutation=figure(0.1)),),
        engineered=(Importance(name=text, share=0.5),),
        effects=(
            replace(base.effects[0], column=text),
            Effect(column=text, labels=(text,), x=None, predicted=(0.1,), observed=(0.2,), rows=(3,)),
        ),
        cohorts=(replace(base.cohorts[0], where=f"{text} = {text}", columns=(text,), value=text),),
        errors=(replace(base.errors[0], path=(f"{text} = {text}",)), replace(base.errors[1], path=(text, text))),
        base=replace(base.base, path=text),
        gates=(replace(base.gates[1], expression=text, reason=text),),
        artefact=replace(base.artefact, path=text, sha256={text: "ab" * 32}, bytes={text: 3}),
        warnings=(text,),
        threshold=replace(base.threshold, rule=text),
    )
    confusion = Confusion(classes=(text, "no"), counts=((1, 2), (3, 4)))
    curves = {text: roc(0.1), "no": roc(0.2)}
    return replace(named, test=replace(base.test, confusion=confusion, roc=curves, precision_recall=curves))


def azure():
    """A training at Azure: figures without intervals, a failed trial, a gate with Azure's figure."""

    def trial(number, algorithm, value, behind=None):
        figures = {"AUC_weighted": Figure(value=value), "accuracy": Figure(value=value - 0.03)} if value else {}
        return RunInfo(
            run=number,
            family=algorithm,
            parameters={"preprocessor": "MaxAbsScaler", "min_data_in_leaf": 20},
            state="done" if value else "failed",
            metrics=figures,
            behind=None if behind is None else Figure(value=behind),
            distinguishable=None,
            rounds=None,
            cpu_s=None,
            error=None if value else "UserError: too few neighbours",
        )

    best = trial(83, "VotingEnsemble", 0.9476)
    judged = JudgedRows(
        rows=26360, metrics=best.metrics, confusion=None, roc={}, precision_recall={}, calibration=None, ece=None
    )
    gate = Gate(
        expression="accuracy>=0.9", state="passed", observed=0.9176, ci95=None, wanted=0.9, rows=26360, reason=None
    )
    files = ("model.pkl", "score.py", "conda.yml", "card.json")
    return replace(
        bank(),
        plan={"label": "y", "runs": 85, "folds": 5, "seed": 0, "metric": "AUC_weighted", "backend": "azureml"},
        metric="AUC_weighted",
        runs=(
            best,
            trial(0, "LightGBM", 0.9421, 0.0055),
            trial(1, "ExtremeRandomTrees", 0.9405, 0.0071),
            trial(2, "KNN", None),
        ),
        best=Best(
            kind="run",
            members=(VoteMember(run=83, family="VotingEnsemble", weight=1.0),),
            validation=best.metrics,
            optimism=None,
        ),
        threshold=None,
        test=None,
        out_of_fold=judged,
        leaks=(),
        importance=(),
        engineered=(),
        effects=(),
        cohorts=(),
        errors=(),
        base=None,
        gates=(gate,),
        artefact=Artefact(path="model", sha256=dict.fromkeys(files, "cd" * 32), bytes=dict.fromkeys(files, 4096)),
        warnings=("the figures are Azure's own, without intervals: small differences may be chance",),
        job=TrainingJob(
            name="epkit-bank-1f2e3d4c",
            workspace="ep-ws",
            child="epkit-bank-1f2e3d4c_83",
            registered="bank:3",
            page="https://ml.azure.com/runs/epkit-bank-1f2e3d4c",
            runs_here=True,
        ),
    )


ALL = {"bank": bank, "digits": digits, "rents": rents, "tiny": tiny, "azure": azure}

assert math.isclose(sum(share for _, share in IMPORTANCES), 1.0)
