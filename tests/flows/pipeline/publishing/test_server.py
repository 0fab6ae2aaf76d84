"""The protocols of a published pipeline, in this process: every request gets its answer, and none causes an error."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip("starlette", reason="needs the extra docs")

from epkit.core.docs.doors import Doors
from epkit.core.http.secret import Secret
from epkit.core.pipeline.jobs import PublishedJob, PublishedOrder
from epkit.files.published_jobs import JobStore
from epkit.flows.context import Context
from epkit.flows.pipeline.publishing.server import LocalService
from epkit.web.pipelines import MOST_BODY_BYTES, PublishedPipeline, make_app

KEY = "k3y-0123456789-0123456789-0123456789-abc"
CONFIG = '[pipelines.bank]\ndata = "bank.csv"\nlabel = "y"\ntrain = { runs = 3 }\npublishable = ["train.runs", "train.metric", "train.holdout"]\n'
ORDER = PublishedOrder(id="id", pipeline="bank", number=1, experiment=None, changes=(), asked_ms=0, key=None, body="")
JOB = PublishedJob(order=ORDER, status="Queued", progress=None, reason=None, ended_ms=None)


class Taking:
    """A desk that accepts every order and runs none."""

    def __init__(self) -> None:
        self.taken: list[tuple[tuple[str, ...], str | None, str | None]] = []

    def submit(self, changes, experiment, key):
        self.taken.append((changes, experiment, key))
        return JOB, True

    def job(self, name):
        return JOB if name == "id" else None

    def jobs(self):
        return (JOB,)

    cancel = job


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    directory = tmp_path_factory.mktemp("published")
    (directory / "epkit.toml").write_text(CONFIG)
    return directory


@pytest.fixture(scope="module")
def desk() -> Taking:
    return Taking()


@pytest.fixture(scope="module")
def ask(project, desk):
    """Return a function that sends requests to the application."""
    context = Context(environ={}, cwd=project, note=lambda line: None)
    service = LocalService("bank", context, JobStore(project / "jobs"), project)
    service._desk = desk
    published = PublishedPipeline(
        name="bank",
        keys=(Secret(KEY), Secret(KEY[::-1])),
        doors=Doors(port=8123),
        document={"openapi": "3.1.0"},
        service=service,
    )
    app = make_app(published)

    async def asked(method: str, path: str, **options) -> httpx.Response:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8123") as client:
            return await client.request(method, path, **options)

    def ask(method: str, path: str, *, key: str = KEY, headers=None, **options) -> httpx.Response:
        return asyncio.run(
            asked(method, path, headers={"authorization": f"Bearer {key}", **(headers or {})}, **options)
        )

    return ask


SUBMIT = "/PipelineRuns/PipelineSubmit/bank"


@pytest.mark.parametrize(
    "prefix",
    ["", "/pipelines/v1.0/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w"],
)
def test_the_wire_of_published_pipelines(ask, desk, prefix):
    body = {"ExperimentName": "pipeline-rest-endpoint", "ParameterAssignments": {"train.runs": "5"}}
    answer = ask("POST", prefix + SUBMIT, json=body)

    assert (200, "id") == (answer.status_code, answer.json().get("Id"))
    assert (("train.runs=5",), "pipeline-rest-endpoint", None) == desk.taken[-1]
    assert "NotStarted" == ask("GET", f"{prefix}/PipelineRuns/id").json()["Status"]["StatusCode"]
    assert 200 == ask("DELETE", f"{prefix}/PipelineRuns/id/Execution").status_code


def test_the_wire_of_batch_endpoints(ask, desk):
    literal = {
        "train.runs": {"jobInputType": "Literal", "value": 5},
        "train.metric": {"jobInputType": "Literal", "value": "AUC"},
    }
    body = {"properties": {"inputData": literal, "properties": {"experimentName": "x"}}}
    answer = ask("POST", "/jobs", json=body, headers={"idempotency-key": "once"})

    assert (201, "id", "/jobs/id") == (answer.status_code, answer.json()["name"], answer.headers["location"])
    assert (('train.metric="AUC"', "train.runs=5"), "x", "once") == desk.taken[-1]
    assert "Queued" == ask("GET", "/jobs/id").json()["properties"]["status"]
    assert ["id"] == [each["name"] for each in ask("GET", "/jobs").json()["value"]]
    assert 202 == ask("POST", "/jobs/id/cancel").status_code
    assert {"offset": 0, "next": 0, "text": "", "over": False} == ask("GET", "/jobs/id/log").json()


@pytest.mark.parametrize(
    ("body", "names"),
    [
        ({"ParameterAssignments": {"gate": "x"}}, "gate"),
        ({"ParameterAssignments": {"train.workers": "1000"}}, "train.workers"),
        ({"ParameterAssignments": {"train.runs": "1000000000"}}, "train.runs must be at most 30"),
        ({"ParameterAssignments": {"train.runs": "0"}}, "train.runs: 0: must be from 1 to 10,000"),
        ({"ParameterAssignments": {"train.runs": "1.5"}}, "train.runs: must be a whole number"),
        ({"ParameterAssignments": {"train.metric": "no"}}, "train.metric: no: no metric"),
        ({"ParameterAssignments": {"train.holdout": "7"}}, "train.holdout: 7: must be a part of the rows"),
        ({"ParameterAssignments": ["train.runs"]}, "ParameterAssignments must be an object"),
        ({"DataPathAssignments": {"data": {"DataStoreName": "x"}}}, "DataPathAssignments"),
        ({"ExperimentName": 3}, "ExperimentName"),
        ({"ExperimentName": "a\nb"}, "ExperimentName"),
        ([], "the body must be an object"),
    ],
)
def test_what_may_not_be_set_is_refused_by_its_name(ask, desk, body, names):
    before = len(desk.taken)
    answer = ask("POST", SUBMIT, json=body)

    assert 400 == answer.status_code
    assert answer.json()["error"]["message"].startswith(names)
    assert before == len(desk.taken)


@pytest.mark.parametrize("key", ["wrong", KEY[:-1], KEY + "x", KEY.upper()])
def test_another_token_is_refused_and_not_repeated(ask, key):
    answer = ask("POST", "/jobs", json={}, key=key)

    assert (401, "Bearer") == (answer.status_code, answer.headers["www-authenticate"])
    assert key not in answer.text
    assert "is not a key of bank" in answer.json()["error"]["message"]


def test_both_keys_open_it_and_health_needs_none(ask):
    assert 200 == ask("GET", "/swagger.json", key=KEY[::-1]).status_code
    assert 200 == ask("GET", "/", key="wrong").status_code
    assert 401 == ask("GET", "/jobs", headers={"authorization": KEY}).status_code
    assert 401 == ask("GET", "/swagger.json", key="wrong").status_code


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example:8123"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 403),
    ],
)
def test_the_gate_of_the_docs_page_is_here_too(ask, headers, status):
    assert (
        status
        == ask("POST", "/jobs", content=b"{}", headers={"content-type": "application/json", **headers}).status_code
    )


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("GET", "/jobs/none", 404),
        ("GET", "/jobs/none/log", 404),
        ("GET", "/jobs/id/log?offset=x", 400),
        ("POST", "/PipelineRuns/PipelineSubmit/other", 404),
        ("DELETE", "/jobs", 405),
        ("PUT", SUBMIT, 405),
        ("GET", "/jobs/../../etc/passwd", 404),
        ("GET", "/jobs/%2e%2e%2f%2e%2e/log", 404),
    ],
)
def test_what_is_not_there_is_said(ask, method, path, status):
    answer = ask(method, path)

    assert status == answer.status_code
    assert answer.json()["error"]["message"]


def test_a_long_body_is_refused_by_its_length_and_while_it_comes(ask):
    kind = {"content-type": "application/json"}

    async def endless():
        for _ in range(1000):
            yield b"x" * 1024

    assert 413 == ask("POST", "/jobs", content=b"x", headers={**kind, "content-length": str(1 << 30)}).status_code
    assert 413 == ask("POST", "/jobs", content=b"x" * (MOST_BODY_BYTES + 1), headers=kind).status_code
    assert 413 == ask("POST", "/jobs", content=endless(), headers=kind).status_code


def test_a_config_that_is_gone_is_said_and_may_come_back(ask, project):
    (project / "epkit.toml").rename(project / "away.toml")
    try:
        answer = ask("POST", "/jobs", json={})
    finally:
        (project / "away.toml").rename(project / "epkit.toml")

    assert 503 == answer.status_code
    assert "there is no epkit.toml" in answer.json()["error"]["message"]
    assert 201 == ask("POST", "/jobs", json={}).status_code


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "properties",
                    "inputData",
                    "ParameterAssignments",
                    "ExperimentName",
                    "experimentName",
                    "train.runs",
                    "train.metric",
                    "jobInputType",
                    "value",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()),
    path=st.sampled_from(["/jobs", SUBMIT]),
)
def test_whatever_the_body_is_it_is_taken_or_refused(ask, body, path):
    answer = ask("POST", path, content=body, headers={"content-type": "application/json"})

    assert answer.status_code in (200, 201, 400)
    if answer.status_code == 400:
        assert answer.json()["error"]["message"]
