"""`epkit pipeline trigger` and the commands for its run: one request in all cases, and the key in no output."""

import json
import signal
import threading
from collections.abc import Iterator

import pytest

from support.canary import CANARY
from support.cli_harness import Cli, complaint
from support.pipeline_server import Answer, PipelineServer, until

WIRES = pytest.mark.parametrize("wire", ["jobs", "submit"])


@pytest.fixture
def server(cli: Cli) -> Iterator[PipelineServer]:
    cli.environ["EPKIT_KEY"] = CANARY
    with PipelineServer() as running:
        yield running


def name_it(cli: Cli, server: PipelineServer) -> None:
    """Write the published pipeline into epkit.toml, and its key into a file."""
    del cli.environ["EPKIT_KEY"]
    cli.write("bank.key", CANARY)
    cli.write("epkit.toml", f'[published.bank]\nurl = "{server.url()}"\nbackend = "local"\nkey_file = "bank.key"\n')


@WIRES
def test_a_run_is_begun_with_what_is_set(cli: Cli, server: PipelineServer, wire: str):
    ran = cli(
        "pipeline", "trigger", server.url(wire), "--set", "train.runs=10", "--set", "note=at night", "--why", "new rows"
    )

    assert (0, "bank-1\n") == (ran.code, ran.out)
    (asked,) = server.posts()
    if wire == "jobs":
        properties = asked.body["properties"]
        assert "new rows" == properties["description"] == properties["properties"]["experimentName"]
        assert {"train.runs": 10, "note": "at night"} == {
            n: each["value"] for n, each in properties["inputData"].items()
        }
    else:
        assert {"train.runs": 10, "note": "at night"} == asked.body["ParameterAssignments"]
        assert "new rows" == asked.body["Description"]
    key = asked.headers["idempotency-key"]
    assert f"--idempotency-key {key}" in ran.err


def test_a_pipeline_of_epkit_toml_is_asked_with_its_own_key(cli: Cli, server: PipelineServer):
    name_it(cli, server)

    assert "bank-1\n" == cli("pipeline", "trigger", "bank").out
    assert "bank" == server.posts()[0].body["properties"]["properties"]["experimentName"]
    said = complaint(cli("pipeline", "trigger", "bnak"), 2)
    assert 'no published pipeline in epkit.toml has the name "bnak"; did you mean "bank"?' in said


@WIRES
@pytest.mark.parametrize(
    ("stages", "own", "code"),
    [
        (["Queued", "Running", "Completed"], {"exit_code": 0}, 0),
        (["Running", "Failed"], {"exit_code": 5, "reason": "AUC 0.81 < 0.94"}, 5),
        (["Running", "Failed"], {}, 6),
        (["Running", "Failed"], {"exit_code": "3"}, 3),
        (["Running", "Failed"], {"exit_code": 0}, 6),
        (["Running", "Failed"], {"exit_code": 77}, 6),
        (["Running", "Canceled"], {}, 130),
    ],
)
def test_waiting_ends_with_the_exit_code_of_the_run(
    cli: Cli, server: PipelineServer, wire: str, stages: list[str], own: dict[str, object], code: int
):
    server.stages, server.own = stages, own

    ran = cli("pipeline", "trigger", server.url(wire), "--wait", "--format", "json")

    found = json.loads(ran.out)
    assert (code, code) == (ran.code, found["exit_code"])
    assert own.get("reason") == found["reason"]
    assert "bank-1" == found["run"]
    assert 1 == len(server.posts())


def test_the_log_is_shown_as_it_comes_and_starts_no_escape_sequence(cli: Cli, server: PipelineServer):
    server.log = (
        b"data  ok\ntrain ok \x1b[31mred\x1b[0m\n" + f"the key {CANARY}\n".encode() + "without an end é".encode()
    )

    ran = cli("pipeline", "trigger", server.url(), "--follow")

    assert 0 == ran.code
    assert ["data ok", "train ok red", "the key ***", "without an end é", "bank-1  Completed"] == [
        line for line in ran.out.splitlines() if not line.endswith(("Queued", "Running"))
    ]
    assert ran.out.splitlines()[-2::-1].index("without an end é") == 0
    assert (
        "data ok\ntrain ok red\nthe key ***\nwithout an end é\n" == cli("pipeline", "logs", server.url(), "bank-1").out
    )


def test_one_idempotency_key_is_one_run(cli: Cli, server: PipelineServer):
    one = cli("pipeline", "trigger", server.url(), "--idempotency-key", "night-1")
    other = cli("pipeline", "trigger", server.url(), "--idempotency-key", "night-1")

    assert ("bank-1\n", "bank-1\n") == (one.out, other.out)
    assert 1 == len(server.looks)
    assert "bank-2\n" == cli("pipeline", "trigger", server.url()).out


@pytest.mark.parametrize("status", [307, 308, 302, 401, 403, 404, 409, 410, 429, 500, 502, 503, 504])
def test_nothing_is_asked_for_twice_whatever_the_server_answers(cli: Cli, server: PipelineServer, status: int):
    elsewhere = "http://127.0.0.1:9/jobs?sig=hidden-signature-1"
    server.instead["POST", "/jobs"] = Answer(
        status=status,
        body={"error": {"code": "Busy", "message": f"bank-7 goes on, said to {CANARY}"}},
        headers={"Location": elsewhere, "Retry-After": "1"},
    )

    ran = cli("pipeline", "trigger", server.url())

    said = complaint(ran, 6 if status == 409 else 4)
    assert f"{server.url()}: {status}: " in said
    assert 1 == len(server.posts())
    assert "hidden-signature" not in ran.err
    assert ("whether a run has begun is not known" in said) == (status >= 500)
    if status < 400:
        assert "a redirect, which is not followed" in said
    else:
        assert "Busy: bank-7 goes on, said to ***" in said


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(drop=True), "whether a run has begun is not known: epkit pipeline status"),
        (Answer(status=200, body=b"<html>sign in</html>"), "200: the reply has no name; whether a run has begun"),
        (Answer(status=201, body={"name": "../../x"}), "201: the reply names its run by what is no id; whether"),
        (Answer(status=201, body=b"[" * 100_000), "201: the reply has no name; whether"),
    ],
    ids=["lost", "page", "no id", "deep"],
)
def test_an_outcome_that_is_not_known_says_how_to_find_out(cli: Cli, server: PipelineServer, answer: Answer, said: str):
    server.instead["POST", "/jobs"] = answer

    line = complaint(cli("pipeline", "trigger", server.url(), "--idempotency-key", "k-1"), 4)

    assert said in line
    assert "--idempotency-key k-1 with the same command begins no second one" in line
    assert 1 == len(server.posts())


def test_where_nothing_was_sent_no_run_has_begun(cli: Cli, server: PipelineServer):
    server.stop()

    assert "nothing was sent, so no run has begun" in complaint(cli("pipeline", "trigger", server.url()), 4)
    unknown = complaint(cli("pipeline", "trigger", "http://no-such-host.invalid/jobs"), 4)
    assert "nothing was sent, so no run has begun" in unknown


def test_a_request_that_takes_too_long_may_have_begun_a_run(cli: Cli, server: PipelineServer):
    late = threading.Event()
    server.before = lambda _: late.wait(20) and None

    line = complaint(cli("pipeline", "trigger", server.url(), "--timeout", "300ms"), 4)
    late.set()

    assert "whether a run has begun is not known" in line
    assert 1 == len(server.posts())


def test_what_the_server_does_not_let_a_caller_set_is_a_usage_error(cli: Cli, server: PipelineServer):
    message = {"error": {"code": "NotSettable", "message": "custom: is not publishable"}}
    server.instead["POST", "/jobs"] = Answer(status=400, body=message)

    assert "NotSettable: custom: is not publishable" in complaint(
        cli("pipeline", "trigger", server.url(), "--set", "custom=x"), 2
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "runs"), "--set runs must be KEY=VALUE"),
        (("--set", "a=1", "--set", "a=2"), "--set a is given twice"),
        (("--set", "a=inf"), "--set a: JSON has no such value"),
        (("--set", "a=2026-01-01"), "--set a: JSON has no such value"),
        (("--idempotency-key", "a b"), "--idempotency-key must be 1 to 128"),
        (("--idempotency-key", "a\r\nX: y"), "--idempotency-key must be 1 to 128"),
        (("--why", "x" * 256), "--why must be a line of 1 to 255 printable characters"),
        (("--experiment", "a\nb"), "--experiment must be a line of 1 to 255 printable characters"),
        (("--time-limit", "3s"), "--time-limit needs --wait"),
        (("--follow", "--format", "json"), "--follow shows a log"),
    ],
)
def test_what_cannot_be_asked_for_is_refused_before_anything_is_sent(
    cli: Cli, server: PipelineServer, arguments: tuple[str, ...], said: str
):
    assert said in complaint(cli("pipeline", "trigger", server.url(), *arguments), 2)
    assert [] == server.asked


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/score", "https://h.example/", "http://127.0.0.1:1/jobs/bank-1"])
def test_a_url_of_something_else_is_named(cli: Cli, url: str):
    assert f"{url} is not the URL of a published pipeline: it looks like " in complaint(
        cli("pipeline", "trigger", url), 2
    )


def test_a_wrong_key_shows_neither_key(cli: Cli, server: PipelineServer):
    cli.environ["EPKIT_KEY"] = "wrong-key-that-must-not-show-1"

    ran = cli("pipeline", "trigger", server.url())

    assert "401: the key or token is not accepted" in complaint(ran, 4)
    assert "wrong-key" not in ran.err


def test_waiting_outlives_a_busy_server_and_a_restart(cli: Cli, server: PipelineServer):
    server.stages = ["Running"] * 4 + ["Completed"]
    server.instead["GET", "/jobs/bank-1"] = Answer(status=503, body={}, headers={"Retry-After": "0"}, times=1)
    restarted = threading.Event()

    def restart() -> None:
        until(lambda: server.looks.get("bank-1", -1) >= 1)
        server.stop()
        restarted.wait(1.5)  # longer than the pause between two requests
        server.start()

    thread = threading.Thread(target=restart)
    thread.start()
    ran = cli("pipeline", "trigger", server.url(), "--wait")
    thread.join()

    assert 0 == ran.code, ran.err
    assert "bank-1  Completed" == ran.out.splitlines()[-1]
    assert 1 == len(server.posts())
    assert "the server answers 503; asked on" in ran.err
    assert "nothing listens there" in ran.err


def test_a_run_that_is_gone_ends_the_waiting(cli: Cli, server: PipelineServer):
    server.stages = ["Running"]
    server.before = lambda asked: server.looks.clear() if server.looks.get("bank-1", 0) >= 1 else None

    line = cli("pipeline", "trigger", server.url(), "--wait")

    assert 4 == line.code
    assert "404: it knows no run bank-1" in line.lines[-1]


def test_the_time_to_wait_is_bounded_and_the_run_goes_on(cli: Cli, server: PipelineServer):
    server.stages = ["Running"]

    ran = cli("pipeline", "trigger", server.url(), "--wait", "--time-limit", "700ms")

    assert 4 == ran.code
    assert "bank-1: not over within 0.7 s: the run goes on: epkit pipeline status " in ran.lines[-1]


def test_ctrl_c_leaves_the_run_going_and_says_how_to_come_back(cli: Cli, server: PipelineServer):
    server.stages = ["Running"]
    with cli.start("pipeline", "trigger", server.url(), "--wait") as process:
        until(lambda: server.looks.get("bank-1", -1) >= 1)
        process.send_signal(signal.SIGINT)
        ran = cli.finished(process)

    assert 130 == ran.code
    assert f"epkit: bank-1: the run goes on: epkit pipeline status {server.url()} bank-1 shows it" in ran.lines
    assert {"POST", "GET"} == {each.method for each in server.asked}


def test_runs_are_listed_shown_and_cancelled(cli: Cli, server: PipelineServer):
    name_it(cli, server)
    server.stages = ["Running"]
    for _ in range(2):
        cli("pipeline", "trigger", "bank")

    assert "bank-2  Running\nbank-1  Running\n" == cli("pipeline", "status", "bank").out
    assert "bank-1  Running\n" == cli("pipeline", "status", "bank", "bank-1").out
    assert ["bank-2", "bank-1"] == [
        each["run"] for each in json.loads(cli("pipeline", "status", "bank", "--format", "json").out)
    ]
    assert "bank-2 was asked to end\n" == cli("pipeline", "cancel", server.url(), "--key-file", "bank.key").out
    assert 130 == cli("pipeline", "status", "bank", "bank-1", "--wait").code
    assert "bank-1 was asked to end\n" == cli("pipeline", "cancel", "bank", "bank-1").out
    assert "404: it knows no run bank-9" in complaint(cli("pipeline", "status", "bank", "bank-9"), 4)
    assert "../x is not the id of a run" in complaint(cli("pipeline", "status", "bank", "../x"), 2)


def test_an_api_version_that_is_refused_is_named_with_the_reason(cli: Cli, server: PipelineServer):
    message = "The api-version is not supported: it was retired on 2026-03-16."
    server.instead["POST", "/jobs"] = Answer(
        status=400, body={"error": {"code": "UnsupportedApiVersion", "message": message}}
    )

    line = complaint(cli("pipeline", "trigger", f"{server.url()}?api-version=2020-09-01-dataplanepreview"), 2)

    assert f"UnsupportedApiVersion: {message}; asked for api-version 2020-09-01-dataplanepreview" in line


def test_two_triggers_at_once_are_two_requests_and_no_more(cli: Cli, server: PipelineServer):
    with cli.start("pipeline", "trigger", server.url()) as one, cli.start("pipeline", "trigger", server.url()) as other:
        ran = [cli.finished(one), cli.finished(other)]

    assert {"bank-1\n", "bank-2\n"} == {each.out for each in ran}
    assert 2 == len(server.posts())
