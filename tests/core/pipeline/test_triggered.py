"""Servers' documents about runs and published pipelines: valid values are read, others are refused, without a crash."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.pipeline import triggered
from epkit.core.pipeline.wires import Wire

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["Id", "name", "id", "Status", "StatusCode", "status", "properties", "Properties", "value", "Error"]
            )
            | st.text(max_size=3),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("wire", "reply", "status", "outcome", "code"),
    [
        ("jobs", {"name": "r", "properties": {"status": "Running"}}, "Running", None, None),
        ("jobs", {"name": "r", "properties": {"status": "CancelRequested"}}, "CancelRequested", None, None),
        ("jobs", {"id": "/a/jobs/r", "status": "Completed"}, "Completed", "done", 0),
        ("jobs", {"name": "r", "properties": {"status": "Failed"}}, "Failed", "failed", 6),
        ("submit", {"Id": "r"}, "NotStarted", None, None),
        ("submit", {"Id": "r", "Status": {"StatusCode": "3"}}, "Finished", "done", 0),
        ("submit", {"Id": "r", "Status": {"StatusCode": 2}}, "Failed", "failed", 6),
        ("submit", {"Id": "r", "Status": {"StatusCode": "Canceled"}}, "Canceled", "cancelled", 130),
    ],
)
def test_a_run_is_read(wire: Wire, reply: object, status: str, outcome: str | None, code: int | None):
    run = triggered.read_run(wire, reply)

    assert ("r", status, outcome, code) == (run.run, run.status, run.outcome, run.exit_code)


def test_what_epkit_tells_besides_is_read_from_the_properties():
    own = {"epkit.run": "12", "epkit.exit_code": "5", "epkit.reason": "AUC 0.81 < 0.94\x1b[31m"}
    run = triggered.read_run("jobs", {"name": "r", "properties": {"status": "Failed", "properties": own}})

    assert (12, 5, "AUC 0.81 < 0.94") == (run.number, run.exit_code, run.reason)
    assert "12" not in json.dumps(triggered.to_document(run)["run"])


@pytest.mark.parametrize("name", ["", "../x", "a/b", "a b", "a\nb", "x" * 256, "?x", ".", 3, None])
def test_what_is_no_id_is_refused(name: object):
    with pytest.raises(ValueError, match="the reply names"):
        triggered.read_run("jobs", {"name": name, "properties": {"status": "Running"}})


@given(ANYTHING)
def test_no_reply_is_a_crash(reply: object):
    for read in (
        lambda: triggered.read_run("jobs", reply),
        lambda: triggered.read_run("submit", reply),
        lambda: triggered.read_runs("jobs", reply),
        lambda: triggered.read_pipelines(reply),
        lambda: triggered.read_log(reply),
        lambda: triggered.begun_run("submit", reply),
    ):
        with contextlib.suppress(ValueError):
            read()
    assert "\n" not in triggered.refusal(reply)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"error": {"code": "NotSettable", "message": "custom: no"}}, "NotSettable: custom: no"),
        ({"Error": {"Code": "UserError", "Message": "gone"}}, "UserError: gone"),
        ({"detail": "not found"}, "not found"),
        ({"error": "invalid"}, "invalid"),
        ({}, ""),
        ([], ""),
    ],
)
def test_an_error_is_one_line(reply: object, said: str):
    assert said == triggered.refusal(reply)
