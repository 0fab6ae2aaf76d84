"""Run history and files of runs by REST: destinations, contents and refusals of requests. No SDK is needed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from epkit.backends.azure.patience import Patience
from epkit.backends.azure.runs import RunHistory
from epkit.backends.azure.workspace import Workspace
from epkit.core.http.secret import Secret
from epkit.errors import BackendError

WORKSPACE = Workspace(subscription="s", group="g", name="w", path=Path("config.json"))
DISCOVERY = "https://westeurope.api.azureml.ms/discovery"
SIGNED = "https://emu.blob.core.windows.net/c/x?sv=1&sig=hidden-signature-1"


def history(
    answer: Callable[[httpx.Request], httpx.Response], seen: list[httpx.Request], said: list[str]
) -> RunHistory:
    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return answer(request)

    made = RunHistory(WORKSPACE, DISCOVERY, lambda: Secret("the-token-1"), Patience(said.append, lambda _: None))
    made._client = httpx.Client(transport=httpx.MockTransport(handle), follow_redirects=False)
    return made


def files(uri: Any, content: bytes = b"12345") -> Callable[[httpx.Request], httpx.Response]:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith(".api.azureml.ms"):
            return httpx.Response(200, json={"contentUri": uri})
        return httpx.Response(200, content=content)

    return answer


@pytest.mark.parametrize(
    "discovery",
    [
        "http://westeurope.api.azureml.ms/discovery", "https://api.azureml.ms.example.com/d", "https://evilapi.azureml.ms/",
        "https://u:p@westeurope.api.azureml.ms/", "https://westeurope.api.azureml.ms:8443/", "", "https://[", "file:///etc",
    ],
)  # fmt: skip
def test_a_token_goes_to_azures_hosts_alone(discovery: str):
    with pytest.raises(BackendError, match="not one of Azure ML's: nothing is sent"):
        RunHistory(WORKSPACE, discovery, lambda: Secret("t"), Patience(print, print))


def test_a_list_is_read_to_its_last_page():
    seen: list[httpx.Request] = []
    pages: dict[str | None, dict[str, Any]] = {
        None: {"value": [1, 2], "continuationToken": "a"}, "a": {"value": [3], "continuationToken": None},
    }  # fmt: skip
    found = history(
        lambda request: httpx.Response(200, json=pages[request.url.params.get("$continuationtoken")]), seen, []
    )

    assert [1, 2, 3] == found.children("a job")
    assert {"Bearer the-token-1"} == {request.headers["authorization"] for request in seen}
    assert seen[0].url.raw_path.endswith(b"/workspaces/w/runs/a%20job/children")


def test_a_list_without_an_end_is_given_up():
    numbers = iter(range(10**6))
    endless = history(
        lambda _: httpx.Response(200, json={"value": [], "continuationToken": str(next(numbers))}), [], []
    )
    with pytest.raises(BackendError, match="j: Azure lists more than 200 pages"):
        endless.children("j")


def test_a_file_is_fetched_by_its_signature_without_the_token():
    seen: list[httpx.Request] = []

    assert b"12345" == history(files(SIGNED), seen, []).fetch("run", "outputs/a b.txt", 5)
    assert seen[0].url.raw_path.endswith(b"/artifacts/contentinfo/ExperimentRun/dcid.run/outputs/a%20b.txt")
    assert [True, False] == ["authorization" in request.headers for request in seen]


@pytest.mark.parametrize(
    "uri",
    [
        "https://example.com/x?sig=hidden-signature-1", "http://emu.blob.core.windows.net/x", None, 3,
        "https://169.254.169.254/metadata", "https://emu.blob.core.windows.net@example.com/",
    ],
)  # fmt: skip
def test_a_file_that_is_elsewhere_is_not_fetched(uri: Any):
    seen: list[httpx.Request] = []
    with pytest.raises(BackendError) as raised:
        history(files(uri), seen, []).fetch("run", "m.pkl", 5)

    assert "run/m.pkl: Azure names no address in its storage for it" == str(raised.value)
    assert 1 == len(seen)


def test_a_file_that_is_too_large_is_not_read_to_its_end():
    with pytest.raises(BackendError, match="run/m: it has more than 4 bytes, and is not fetched"):
        history(files(SIGNED), [], []).fetch("run", "m", 4)


def test_a_storage_that_refuses_or_redirects_is_told_without_the_signature():
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host.endswith(".api.azureml.ms"):
            return httpx.Response(200, json={"contentUri": SIGNED})
        return httpx.Response(302, headers={"location": "https://example.com/"})

    seen: list[httpx.Request] = []
    with pytest.raises(BackendError) as raised:
        history(answer, seen, []).fetch("run", "m", 9)

    assert "run/m: status 302" == str(raised.value)
    assert "example.com" not in {request.url.host for request in seen}


def test_what_nobody_answers_is_asked_again_and_told_without_the_signature():
    def answer(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError(f"cannot reach {SIGNED}", request=request)

    said: list[str] = []
    found = history(answer, [], said)
    found._patience = Patience(said.append, lambda _: None, limit_s=3)
    with pytest.raises(BackendError) as raised:
        found.details("j")

    assert "j: Azure cannot be reached: cannot reach https://emu.blob.core.windows.net/c/x?sv=1&sig=***" == str(
        raised.value
    )
    assert said
    assert "hidden" not in "".join(said)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_not_json_is_told(content: bytes):
    with pytest.raises(BackendError, match="Azure's answer is not JSON"):
        history(lambda _: httpx.Response(200, content=content), [], []).details("j")


@pytest.mark.parametrize("document", [[], 3, None, {"value": 3}, {"value": [3, {}, {"path": 4}, {"path": "ok"}]}])
def test_an_answer_of_another_shape_lists_nothing(document: Any):
    listed = history(lambda _: httpx.Response(200, content=json.dumps(document)), [], []).files("j")

    assert (["ok"] if document == {"value": [3, {}, {"path": 4}, {"path": "ok"}]} else []) == listed


class Refused(Exception):  # noqa: N818 - as an SDK raises it
    def __init__(self, status: int, **headers: str) -> None:
        super().__init__("refused")
        self.status_code = status
        request = httpx.Request("GET", "https://management.azure.com/subscriptions/s")
        body = {"error": {"code": "C", "message": "m"}}
        self.response = httpx.Response(status, headers=headers, json=body, request=request)


def patience(refusals: list[Exception], limit_s: float = 600) -> tuple[Callable[[], str], list[float], list[str]]:
    pauses: list[float] = []
    said: list[str] = []

    def ask() -> str:
        if refusals:
            raise refusals.pop(0)
        return "answer"

    return lambda: Patience(said.append, pauses.append, limit_s)(ask), pauses, said


def test_pauses_grow_or_are_what_the_service_asks_for():
    ask, pauses, said = patience([Refused(503), Refused(503), Refused(429, **{"Retry-After": "7"}), Refused(500)])

    assert "answer" == ask()
    assert [0.5, 1.0, 7.0, 14.0] == pauses
    assert "C: m (too many requests: wait a minute): asked again in 7 s" in said


def test_a_pause_that_the_service_asks_for_has_an_end():
    ask, pauses, _ = patience([Refused(429, **{"Retry-After": "86400"})])
    ask()

    assert [120.0] == pauses


@pytest.mark.parametrize(("status", "times"), [(400, 1), (403, 1), (404, 1), (409, 1), (401, 3)])
def test_what_does_not_pass_is_raised(status: int, times: int):
    refusals: list[Exception] = [Refused(status) for _ in range(9)]
    ask, pauses, _ = patience(refusals)
    with pytest.raises(Refused):
        ask()

    assert (times - 1, 9 - times) == (len(pauses), len(refusals))


def test_patience_has_an_end():
    ask, pauses, _ = patience([Refused(503, **{"Retry-After": "60"}) for _ in range(99)], limit_s=30)
    with pytest.raises(Refused):
        ask()

    assert [] == pauses
