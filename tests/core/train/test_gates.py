"""Gates: their syntax, their refusals and their verdicts."""

import numpy as np
import pytest

from epkit.core.train import gates, metrics
from epkit.core.train.cohorts import cuts
from epkit.core.train.gates import Evidence, GateExpression
from epkit.core.train.metrics import Metrics
from epkit.core.train.problem import Label
from epkit.core.train.report import Gate
from epkit.errors import UsageError
from support.examples import drawn_examples
from support.margins import BINARY, MANY, NUMBER, answered

COLUMNS = ("age", "job", "day", "code", "a=b", "odd (name)")


def read(text: str) -> tuple[str, str | None, str, str, float, bool]:
    found = gates.parse(text)
    return found.of, found.inside, found.metric, found.op, found.limit, found.base


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AUC>=0.94", ("all", None, "AUC", ">=", 0.94, False)),
        (" AUC_weighted > .9 ", ("all", None, "AUC_weighted", ">", 0.9, False)),
        ("auc>=0.94", ("all", None, "AUC", ">=", 0.94, False)),
        ("AUC>=base-0.002", ("all", None, "AUC", ">=", -0.002, True)),
        ("AUC >= base + 0.01", ("all", None, "AUC", ">=", 0.01, True)),
        ("log_loss<=base", ("all", None, "log_loss", "<=", 0.0, True)),
        ("rmse<12.5", ("all", None, "rmse", "<", 12.5, False)),
        ("mcc>=-0.1", ("all", None, "mcc", ">=", -0.1, False)),
        ("ece<0.02", ("all", None, "ece", "<", 0.02, False)),
        ("cohort(job).accuracy>=0.85", ("cohort", "job", "accuracy", ">=", 0.85, False)),
        ("cohort(job=admin.).accuracy>=0.8", ("cohort", "job=admin.", "accuracy", ">=", 0.8, False)),
        ("cohort(age=[17, 32)).recall>=0.8", ("cohort", "age=[17, 32)", "recall", ">=", 0.8, False)),
        ("cohort(odd (name)).AUC>0.5", ("cohort", "odd (name)", "AUC", ">", 0.5, False)),
        ("cohort.min(accuracy)>=0.8", ("min", None, "accuracy", ">=", 0.8, False)),
        ("cohort.max(log_loss)<0.5", ("max", None, "log_loss", "<", 0.5, False)),
    ],
)
def test_gates_are_read(text: str, expected: tuple[object, ...]) -> None:
    assert expected == read(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("AUC>=94", "metrics are fractions: 0.94"),
        ("accuracy>=91.5", "metrics are fractions: 0.915"),
        ("AUC>=0.94%", "metrics are fractions"),
        ("AUC>=base-2", "metrics are fractions: 0.02"),
        ("AUK>=0.9", "'AUK' is no metric: did you mean \"AUC\"?"),
        ("acuracy>=0.9", 'did you mean "accuracy"?'),
        ("p99>=0.9", "'p99' is no metric"),
        ("AUC", "no comparison with a limit"),
        ("AUC=0.9", "no comparison with a limit"),
        ("", "no comparison with a limit"),
        (">=0.9", "'nothing' is no metric"),
        ("AUC>=", "'' is no limit"),
        ("AUC>=basis", "'basis' is no limit"),
        ("AUC>=base0.1", "'base0.1' is no limit"),
        ("AUC>=base-", "'base-' is no limit"),
        ("cohort().AUC>=0.5", "names no column"),
        ("cohort(job)>=0.5", "is no metric"),
        ("cohort(job).ece<0.1", "ece is of all rows"),
        ("cohort(job).AUC>=base", "for all rows"),
        ("ece<base", "a limit of its own"),
    ],
)
def test_what_is_no_gate_is_refused_in_one_line(text: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        gates.parse(text)

    assert str(caught.value).startswith(f"--gate {text!r}: ")
    assert why in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "label", "why"),
    [
        ("rmse<3", BINARY, "rmse is not measured of a classification"),
        ("AUC>0.5", NUMBER, "AUC is not measured of a regression"),
        ("ece<0.5", NUMBER, "ece is not measured of a regression"),
        ("accuracy_at_threshold>0.5", MANY, "not measured"),
        ("AUC>=base", BINARY, "there is no base: name the model that is in use with --base DIR"),
        ("cohort(jbo).AUC>0.5", BINARY, "'jbo' is no column of the model: did you mean \"job\"?"),
        ("cohort(jbo=x).AUC>0.5", BINARY, "'jbo' is no column of the model: did you mean \"job\"?"),
    ],
)
def test_what_this_training_cannot_judge_is_refused(text: str, label: Label, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        gates.check([gates.parse(text)], label, COLUMNS, base=False)

    assert why in str(caught.value)


def test_the_columns_that_gates_name_are_told() -> None:
    named = [
        gates.parse(text)
        for text in ("AUC>0.5", "cohort(job=x).AUC>0.5", "cohort(a=b).AUC>0", "cohort(a=b=c).AUC>0", "cohort(job).f1>0")
    ]

    assert ("job", "a=b") == gates.check(named, BINARY, COLUMNS, base=False)


def evidence() -> Evidence:
    """Return rows with bad predictions for students."""
    table = drawn_examples(BINARY)
    g = np.random.default_rng(3)
    noise = np.where(table.matrix[:, 1] == 2, 3.0, 0.5)
    margins = (2.0 * table.y - 1 + noise * g.normal(size=len(table)))[:, None]
    return Evidence(rows=Metrics(table.y, margins, BINARY), ece=0.03, cuts=cuts(table))


def judged(text: str, by: Evidence | None = None) -> Gate:
    return gates.judge(gates.parse(text), by or evidence())


def test_a_gate_of_all_rows() -> None:
    by = evidence()
    auc = metrics.value("AUC", by.rows.y, by.rows.margins, BINARY)
    found = judged("AUC>=0.5", by)

    assert ("passed", auc, 0.5, 2000, None) == (found.state, found.observed, found.wanted, found.rows, found.reason)
    assert found.ci95 is not None
    assert found.ci95[0] < auc < found.ci95[1]
    assert "missed" == judged("AUC>=0.999", by).state
    assert f"AUC is {auc:.4g} of 2,000 rows, not >= 0.999" == judged("AUC>=0.999", by).reason


def test_the_limit_itself_passes_only_with_its_sign() -> None:
    by = Evidence(rows=Metrics(np.array([1, 1, 0, 0]), np.array([[1.0], [-1], [-1], [-1]]), BINARY), ece=0.02, cuts=())

    assert ["passed", "missed", "passed", "missed"] == [
        judged(text, by).state for text in ("accuracy>=0.75", "accuracy>0.75", "accuracy<=0.75", "accuracy<0.75")
    ]
    assert ("missed", 0.02) == (judged("ece<0.02", by).state, judged("ece<0.02", by).observed)


def test_a_gate_of_a_column_judges_its_worst_value() -> None:
    by = evidence()
    student = next(cut.rows for cut in by.cuts if cut.where == "job = student")
    found = judged("cohort(job).accuracy>=0.9", by)

    assert metrics.value("accuracy", by.rows.y[student], by.rows.margins[student], BINARY) == found.observed
    assert ("missed", len(student)) == (found.state, found.rows)
    assert found.reason is not None
    assert found.reason.startswith("job = student: accuracy is ")
    assert "passed" == judged("cohort(job=admin.).accuracy>=0.9", by).state
    assert judged("cohort(job).log_loss<0.1", by).rows == len(student)


def test_the_least_of_all_cohorts() -> None:
    by = evidence()
    values = [metrics.value("f1", by.rows.y[cut.rows], by.rows.margins[cut.rows], BINARY) for cut in by.cuts]

    assert min(values) == judged("cohort.min(f1)>=0.1", by).observed
    assert max(values) == judged("cohort.max(f1)<=1", by).observed


def test_values_of_few_rows_are_not_judged() -> None:
    table = drawn_examples(BINARY, n=60)
    by = Evidence(rows=Metrics(table.y, np.ones((60, 1)), BINARY), ece=None, cuts=cuts(table))
    found = judged("cohort(job).accuracy>=0.1", by)

    assert max(len(cut.rows) for cut in by.cuts if cut.columns == ("job",)) < gates.LEAST_ROWS
    assert ("not judged", None) == (found.state, found.observed)
    assert "cannot be judged: of the 3 values none has 30 rows that define accuracy" == found.reason


def test_a_value_that_no_row_has_is_not_judged() -> None:
    found = judged("cohort(job=diver).accuracy>=0.1")

    assert "not judged" == found.state
    assert "cannot be judged: no value or range of job that is shown is diver" == found.reason


def test_a_metric_that_the_rows_do_not_define_is_not_judged() -> None:
    by = Evidence(rows=Metrics(np.ones(300, np.int64), np.ones((300, 1)), BINARY), ece=None, cuts=())

    assert "not judged" == judged("AUC>=0.1", by).state
    assert "not judged" == judged("ece<0.1", by).state


def test_values_whose_rows_do_not_define_the_metric_are_passed_over() -> None:
    by = evidence()
    by.rows.y[by.cuts[4].rows] = 1  # the first value of the second column has no negative row any more
    assert by.cuts[4].where == "job = admin."

    assert "job = student" in str(judged("cohort(job).AUC>=0.999", by).reason)
    assert "not judged" == judged("cohort(job=admin.).AUC>=0.1", by).state


def with_base(n: int) -> Evidence:
    g = np.random.default_rng(0)
    truth = g.normal(size=(n, 1)) * 2
    y = answered(truth, BINARY, g)
    new, old = (Metrics(y, truth + noise * g.normal(size=(n, 1)), BINARY) for noise in (0.1, 1.0))
    return Evidence(rows=new, ece=None, cuts=(), shared=(new, old))


def test_a_gate_against_the_base_is_paired() -> None:
    by = with_base(1000)
    assert by.shared is not None
    old = by.shared[1].of("AUC")[0]
    found = judged("AUC>=base-0.002", by)

    assert "passed" == found.state
    assert (by.rows.of("AUC")[0], old - 0.002) == (pytest.approx(found.observed), pytest.approx(found.wanted))
    assert "missed" == judged("AUC>=base+0.2", by).state
    assert "missed" == judged("log_loss>=base", by).state
    alone = judged("AUC>=0.5", by)
    assert found.ci95 is not None
    assert alone.ci95 is not None
    assert found.ci95[1] - found.ci95[0] < alone.ci95[1] - alone.ci95[0]


def test_a_model_passes_against_itself() -> None:
    by = with_base(1000)

    assert "passed" == judged("AUC>=base", Evidence(rows=by.rows, ece=None, cuts=(), shared=(by.rows, by.rows))).state


def test_fewer_than_200_shared_rows_are_not_judged() -> None:
    assert "not judged" == judged("AUC>=base-0.5", with_base(199)).state
    assert "passed" == judged("AUC>=base-0.5", with_base(200)).state
    assert judged("AUC>=base-0.5", with_base(199)).reason == (
        "cannot be judged: 199 rows that neither model was trained on, and 200 are needed"
    )


def test_shared_rows_that_do_not_define_the_metric_and_no_base_at_all_are_not_judged() -> None:
    rows = Metrics(np.ones(300, np.int64), np.ones((300, 1)), BINARY)
    shared = Evidence(rows=rows, ece=None, cuts=(), shared=(rows, rows))

    assert "cannot be judged: these rows do not define AUC" == judged("AUC>=base", shared).reason
    assert "cannot be judged: there is no base" == judged("AUC>=base", Evidence(rows=rows, ece=None, cuts=())).reason


def test_a_gate_knows_the_way_of_its_sign() -> None:
    gate = GateExpression(expression="x", of="all", inside=None, metric="AUC", op="<", limit=0.5, base=False)

    assert gate.met(0.4, 0.5)
    assert not gate.met(0.5, 0.5)
