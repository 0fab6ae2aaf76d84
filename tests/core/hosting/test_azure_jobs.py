"""Documents of run history and MLflow about a job's trials, valid and invalid."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.hosting import azure_jobs

SPEC = json.dumps(
    {"objects": [{"param_kwargs": {"a": 1}}, {"param_kwargs": {"leaves": 31, "kind": "x", "deep": [1], "bad": None}}]}
)


def run(name: str, **more: Any) -> dict[str, Any]:
    return {"runId": name, "status": "Completed", "properties": {"run_algorithm": "LightGBM", "score": "0.9"}, **more}


def test_trials_are_read_in_order_and_runs_that_try_nothing_are_left_out():
    documents = [
        run("job_10"), run("job_2", status="Queued"), run("job_setup"), run("job_ModelExplain"), run("other_1"), run("job_x1"),
        run("job_3", status="Running", properties={}),
    ]  # fmt: skip
    found = azure_jobs.children_of("job", documents)

    assert [2, 3, 10] == [child.number for child in found]
    assert [False, True, False] == [child.is_running for child in found]
    assert ("unknown", None) == (found[1].algorithm, found[1].score)
    assert 0.9 == found[2].score


def test_parameters_times_and_errors_are_read():
    properties = {
        "run_algorithm": "LightGBM",
        "run_preprocessor": "MaxAbsScaler",
        "score": "nan",
        "pipeline_spec": SPEC,
    }
    times = {"startTimeUtc": "2026-11-27T09:00:00.1234567Z", "endTimeUtc": "2026-11-27T09:01:30.1234567+00:00"}
    error = {
        "error": {
            "code": "UserError",
            "message": "at https://x.blob.core.windows.net/c?sv=1&sig=hidden1 \x1b[1mfailed\nhere",
        }
    }
    (found,) = azure_jobs.children_of("j", [run("j_0", status="Failed", properties=properties, **times, error=error)])

    assert ("MaxAbsScaler", {"leaves": 31, "kind": "x"}, 90.0, None) == (
        found.preprocessor, found.parameters, found.duration_s, found.score
    )  # fmt: skip
    assert "UserError: at https://x.blob.core.windows.net/c?sv=1&sig=*** failed here" == found.error


def test_metrics_that_are_no_numbers_are_left_out_and_the_best_child_is_a_tag():
    data = {
        "metrics": [{"key": "accuracy", "value": 0.9}, {"key": "AUC", "value": "NaN"}, {"key": "x", "value": float("inf")}, 3],
        "tags": [{"key": "other", "value": "a"}, {"key": "automl_best_child_run_id", "value": "job_7"}],
    }  # fmt: skip

    assert {"accuracy": 0.9} == azure_jobs.metrics_of({"run": {"data": data}})
    assert "job_7" == azure_jobs.best_child_of({"run": {"data": data}})
    assert None is azure_jobs.best_child_of({"run": {"data": {}}})


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["runId", "properties", "error", "message", "run", "data", "metrics", "key", "pipeline_spec", "score"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(JSON)
def test_whatever_the_service_says_nothing_breaks(document: Any):
    children = azure_jobs.children_of(
        "j", [document, {"runId": "j_1", "properties": document, "error": document, "startTimeUtc": document}]
    )

    assert len(children) <= 2
    assert all(type(value) is float for value in azure_jobs.metrics_of(document).values())
    assert isinstance(azure_jobs.best_child_of(document), str | None)
    assert isinstance(azure_jobs.reason_of(document), str | None)


@pytest.mark.parametrize(
    "spec", ["", "[]", "{}", '{"objects": []}', '{"objects": [3]}', '{"objects": {}}', "[" * 100_000]
)
def test_a_pipeline_that_cannot_be_read_has_no_parameters(spec: str):
    (found,) = azure_jobs.children_of("j", [run("j_1", properties={"pipeline_spec": spec})])

    assert {} == found.parameters
