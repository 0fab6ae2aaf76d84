"""The two protocols of published pipelines: one side reads what the other side writes."""

import pytest

from epkit.core.pipeline import wires


@pytest.mark.parametrize("wire", ["submit", "jobs"])
def test_what_is_asked_is_what_is_read(wire: wires.Wire) -> None:
    values = {"train.runs": 10, "note": "nightly", "share": 0.5, "list": ["a"], "none": None}
    assert wires.asked(wire, wires.ask(wire, "bank", values)) == values


@pytest.mark.parametrize(
    ("path", "wire"),
    [
        ("/pipelines/v1.0/subscriptions/s/PipelineRuns/PipelineSubmit/p-1", "submit"),
        ("/PipelineRuns/PipelineSubmit/bank", "submit"),
        ("/jobs", "jobs"),
        ("/behind/a/proxy/jobs/", "jobs"),
        ("/score", None),
        ("/", None),
    ],
)
def test_which_wire_a_path_is_for(path: str, wire: wires.Wire | None) -> None:
    assert wires.wire_of(path) == wire


@pytest.mark.parametrize(
    ("wire", "body", "message"),
    [
        ("submit", [], "the body must be an object"),
        ("submit", {"ParameterAssignments": [1]}, "ParameterAssignments must be an object"),
        ("jobs", {"properties": 1}, "properties must be an object"),
        ("jobs", {"properties": {"inputData": []}}, "properties.inputData must be an object"),
        ("jobs", {"properties": {"inputData": {"runs": 3}}}, "properties.inputData.runs must be"),
        (
            "jobs",
            {"properties": {"inputData": {"d": {"jobInputType": "UriFolder", "uri": "x"}}}},
            "inputData.d must be",
        ),
    ],
)
def test_a_body_of_another_shape_is_named(wire: wires.Wire, body: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        wires.asked(wire, body)


@pytest.mark.parametrize("wire", ["submit", "jobs"])
def test_a_body_that_sets_nothing_is_no_mistake(wire: wires.Wire) -> None:
    assert wires.asked(wire, {"ExperimentName": "pipeline-rest-endpoint"}) == {}


def test_the_run_that_was_begun() -> None:
    assert wires.run_id("submit", {"Id": "run-1"}) == "run-1"
    assert wires.run_id("jobs", {"name": "run-2", "properties": {}}) == "run-2"
    for reply in ([], {}, {"name": 3}, {"Id": ""}):
        with pytest.raises(ValueError, match="the reply has no Id"):
            wires.run_id("submit", reply)


WORKSPACE = "/pipelines/v1.0/subscriptions/s/resourceGroups/g/providers/P/workspaces/w"
ENDPOINT = f"{WORKSPACE}/PipelineRuns/PipelineSubmit/p-1"


def test_where_a_run_is_looked_after() -> None:
    assert wires.run_path("submit", ENDPOINT, "r 1") == f"{WORKSPACE}/PipelineRuns/r%201"
    assert wires.run_path("jobs", "/jobs/", "r/1") == "/jobs/r%2F1"
    assert wires.runs_path("submit", ENDPOINT) == f"{WORKSPACE}/PipelineRuns/Pipeline/p-1"
    assert wires.cancelling("submit", ENDPOINT, "r") == ("DELETE", f"{WORKSPACE}/PipelineRuns/r/Execution")
    assert wires.cancelling("jobs", "/jobs", "r") == ("POST", "/jobs/r/cancel")
    assert wires.own_jobs_path("submit", "/PipelineRuns/PipelineSubmit/bank") == "/jobs"


def test_where_the_published_pipelines_of_a_workspace_are() -> None:
    for path in (ENDPOINT, WORKSPACE, f"{WORKSPACE}/Pipelines", f"{WORKSPACE}/Pipelines/p-1"):
        assert wires.pipelines_path(path) == f"{WORKSPACE}/Pipelines"
    assert wires.pipelines_path("/PipelineRuns/PipelineSubmit/bank") is None
    assert wires.pipelines_path("/jobs") is None
    assert wires.pipeline_path(ENDPOINT) == f"{WORKSPACE}/Pipelines/p-1"


def test_values_as_texts() -> None:
    assert wires.texts({"a": "x", "b": 1, "c": True, "d": [1]}) == {"a": "x", "b": "1", "c": "true", "d": "[1]"}
