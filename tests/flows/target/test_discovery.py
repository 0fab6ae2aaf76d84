"""A contract is searched for in the places where servers publish theirs, and messages name every tried place."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import pytest

from epkit.core.http.url import Url, parse
from epkit.core.samples.rows import Failure
from epkit.endpoint.config import TargetSpec
from epkit.endpoint.keys import Key
from epkit.errors import EndpointError, UsageError
from epkit.flows.target.client import SingleRequest
from epkit.flows.target.discovery import discover
from epkit.flows.target.target import Target, UnreachableError

VERSIONS = (
    b'{"message": "Swagger version [2] is not supported for the scoring script. Supported swagger versions: %s."}'
)
MODEL = {
    "name": "one",
    "versions": None,
    "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 2]}],
    "outputs": [],
}


def contract(*paths: str, **more: Any) -> bytes:
    return json.dumps({"openapi": "3.1.0", "paths": {path: {"post": {}} for path in paths}, **more}).encode()


def found(url: str, answers: Mapping[str, Any], named: str | None = None) -> tuple[str, list[str]]:
    """Search for the contract of a target; return its name, and the requested paths."""
    asked: list[str] = []

    async def fetch(source: Url) -> SingleRequest:
        asked.append(source.request_path)
        answer = answers.get(source.request_path, 404)
        if isinstance(answer, Exception):
            raise answer
        reply = SingleRequest(None)
        if isinstance(answer, Failure):
            reply.failure, reply.detail = answer, "refused"
        elif isinstance(answer, tuple):
            reply.status, reply.body = answer
        elif isinstance(answer, bytes):
            reply.status, reply.body = 200, answer
        else:
            reply.status = answer
        return reply

    uri = parse(url)
    target = Target(spec=TargetSpec(uri=uri), uri=uri, key=Key(), contract=None, secrets=[])
    _, name = asyncio.run(discover(target, fetch, named=named))
    return name, asked


def test_the_one_next_to_the_path_goes_before_all_others() -> None:
    name, asked = found("http://h/a/score", {"/a/swagger.json": contract("/b"), "/openapi.json": contract("/a/score")})

    assert ("http://h/a/swagger.json", ["/a/swagger.json"]) == (name, asked)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://h/predict", "/openapi.json"),
        ("http://h/predict", "/docs.json"),
        ("http://h/api/v1/predict", "/api/v1/openapi.json"),
        ("http://h/api/v1/predict?code=1", "/openapi.json"),
        ("http://h/api/v1/predict", "/docs.json"),
    ],
)
def test_it_is_found_where_other_servers_publish_it(url: str, place: str) -> None:
    path = parse(url).path
    name, _ = found(url, {place: contract("/predict"), "/predict/x": contract(path)})

    assert f"http://h{place}" == name


@pytest.mark.parametrize(("versions", "wanted"), [(b"[3, 3.1]", "3"), (b"[3.1]", "3.1")])
def test_another_version_is_asked_for_where_the_genuine_server_names_some(versions: bytes, wanted: str) -> None:
    refused = (404, VERSIONS % versions)
    name, asked = found(
        "http://h/score", {"/swagger.json": refused, f"/swagger.json?version={wanted}": contract("/score")}
    )

    assert ["/swagger.json", f"/swagger.json?version={wanted}"] == asked
    assert name.startswith("http://h/swagger.json?version=")


@pytest.mark.parametrize("path", ["/v2/models/one", "/v2/models/one/versions/1", "/base/v2/models/one"])
def test_a_model_of_the_open_inference_protocol_is_asked_for_its_description_first(path: str) -> None:
    described = json.dumps(MODEL).encode()
    general = contract("/v2/models/{model_name}/infer")
    name, asked = found(f"http://h{path}/infer", {path: described, "/openapi.json": general})

    assert (f"http://h{path}", [path]) == (name, asked)


def test_a_contract_of_another_program_at_the_same_origin_is_not_the_targets() -> None:
    answers = {"/openapi.json": contract("/train"), "/docs.json": contract("/{model}/predict")}

    assert found("http://h/churn/predict", answers)[0] == "http://h/docs.json"
    assert found("http://h/churn/predict", answers, named="/train")[0] == "http://h/openapi.json"


def test_each_place_that_was_tried_is_named_with_what_it_answered() -> None:
    answers = {
        "/a/swagger.json": 405,
        "/a/openapi.json": b"<html>",
        "/swagger.json": EndpointError("redirects to another origin"),
        "/openapi.json": contract("/train"),
        "/docs.json": b'{"a": 1}',
    }
    with pytest.raises(EndpointError) as error:
        found("http://h/a/score?code=SECRET", answers)

    assert str(error.value) == (
        "no contract is found: http://h/a/swagger.json: status 405, http://h/a/openapi.json: status 200, but no "
        "contract, http://h/a/docs.json: status 404, http://h/swagger.json: redirects to another origin, "
        "http://h/openapi.json: status 200, but a contract without POST /a/score, http://h/docs.json: status 200, but "
        "no contract"
    )


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (401, EndpointError, "the contract needs a key"),
        (403, EndpointError, "the contract needs a key"),
        (503, EndpointError, "status 503 instead of a contract"),
        (Failure.CONNECT, UnreachableError, "refused"),
        (Failure.TIMEOUT, EndpointError, "refused"),
        (b'{"swagger": "2.0", ', UsageError, "not JSON"),
    ],
)
def test_nothing_else_is_asked_where_the_first_answer_tells_all(answer: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind, match=words) as error:
        found("http://h/score", {"/swagger.json": answer, "/openapi.json": contract("/score")})

    assert "openapi.json" not in str(error.value)
