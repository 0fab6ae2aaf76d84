"""The two wires of published pipelines: what one side writes, the other side reads."""

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
