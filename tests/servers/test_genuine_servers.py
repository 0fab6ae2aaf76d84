"""Genuine servers: contracts are found, bodies made from them are accepted, and every row gets its own prediction."""

import csv
import io
import json
import re
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from support.cli_harness import Cli
from support.genuine_servers import APPS, LOCKS, SERVERS, Running
from support.mutations import mutate_anywhere
from support.server_cases import CASES, Case, cases, prediction, table

ROWS = 250
MUTATED = 120
EXCUSED = {"undeclared", "encoding"}
"""Warnings after which a server may or may not accept a body: the contract has no answer; half a surrogate pair."""
ALMOST = re.compile(rb'\xef\xbb\xbf|(?<!")(NaN|Infinity)')
"""Texts that are not JSON, but that many servers accept."""
Start = Callable[[str], Running]


@pytest.fixture
def cli(tmp_path):
    return Cli(directory=tmp_path)


def written(cli: Cli, case: Case, count: int = ROWS) -> list[dict[str, Any]]:
    """Write rows.csv; return its rows."""
    rows = table(case.names, count)
    text = io.StringIO()
    writer = csv.DictWriter(text, case.names)
    writer.writeheader()
    writer.writerows(rows)
    cli.write("rows.csv", text.getvalue())
    return rows


def predictions(text: str) -> list[Any]:
    return [json.loads(line)["prediction"] for line in text.splitlines()]


def steps(text: str) -> dict[str, dict[str, Any]]:
    """Return the steps of a check by their names."""
    return {step["name"]: step for step in json.loads(text)["steps"]}


def test_every_server_has_an_app_and_a_lock() -> None:
    environments = {server.environment for server in SERVERS.values()}

    assert environments == {path.name for path in APPS.iterdir()}
    assert environments == {path.stem for path in LOCKS.glob("*.txt")} == {path.stem for path in LOCKS.glob("*.in")}
    assert set(SERVERS) == {case.server for case in CASES}


@pytest.mark.parametrize("case", cases())
def test_a_body_made_by_hand_is_taken(started: Start, case: Case) -> None:
    assert started(case.server).takes(case.path, case.body(case.rows))


@pytest.mark.parametrize("case", cases("contract"))
def test_the_contract_is_found_and_allows_a_right_body(started: Start, cli: Cli, case: Case) -> None:
    target = started(case.server).origin
    right = cli.write("right.json", json.dumps(case.body(case.rows)))
    ran = cli("validate", right, "--target", target + case.path, "--format", "json")

    assert 0 == ran.code, ran.err or ran.out
    assert f"{target}{case.contract}" == json.loads(ran.out)["schema"]


@pytest.mark.parametrize("case", cases("silence"))
def test_a_contract_that_says_nothing_of_bodies_gives_no_verdict(started: Start, cli: Cli, case: Case) -> None:
    right = cli.write("right.json", json.dumps(case.body(case.rows)))
    ran = cli("validate", right, "--target", started(case.server).origin + case.path, "--format", "json")

    assert 0 == ran.code, ran.err
    (verdict,) = json.loads(ran.out)["files"]
    assert ["undeclared"] == [violation["rule"] for violation in verdict["violations"]]


@pytest.mark.parametrize("case", cases("sample"))
def test_a_sample_is_taken(started: Start, cli: Cli, case: Case) -> None:
    server = started(case.server)
    for seed in range(3):
        ran = cli("sample", "--target", server.origin + case.path, "--seed", seed)

        assert 0 == ran.code, ran.err
        assert (200, ran.out) == (server.ask("POST", case.path, ran.out.encode())[0], ran.out)


@pytest.mark.parametrize("case", cases("validate"))
def test_no_body_is_passed_that_the_server_refuses(started: Start, cli: Cli, case: Case) -> None:
    server, random = started(case.server), Random(case.name)
    bodies: dict[bytes, str] = {}
    while len(bodies) < MUTATED:
        what, data = mutate_anywhere(case.body(case.rows), random)
        if not ALMOST.search(data):
            bodies.setdefault(data, what)
    files = {cli.write(f"{number}.json", data): data for number, data in enumerate(bodies)}
    ran = cli("validate", *files, "--target", server.origin + case.path, "--format", "json")

    assert ran.code in (0, 3), ran.err
    verdicts = {verdict["file"]: verdict for verdict in json.loads(ran.out)["files"]}
    taken = {name: server.takes(case.path, data) for name, data in files.items()}
    passed = [
        (bodies[data], data.decode(errors="replace"), verdict["violations"])
        for name, data in files.items()
        if (verdict := verdicts[name])["valid"]
        and not taken[name]
        and not any(violation["rule"] in EXCUSED for violation in verdict["violations"])
    ]

    assert [] == passed
    assert min(sum(taken.values()), len(files) - sum(taken.values())) > 2


@pytest.mark.parametrize("case", cases("text"))
def test_what_is_no_proper_json_is_passed_only_where_the_server_takes_it(started: Start, cli: Cli, case: Case) -> None:
    right = json.dumps(case.body(case.rows)).encode()
    number = re.compile(rb"(?<=[ \[])\d+\.\d+(?=[,}\]])")
    texts = {
        "mark": b"\xef\xbb\xbf" + right,
        "nan": number.sub(b"NaN", right, 1),
        "inf": number.sub(b"Infinity", right, 1),
    }
    server = started(case.server)
    files = [cli.write(f"{name}.json", text) for name, text in texts.items()]
    ran = cli("validate", *files, "--target", server.origin + case.path, "--format", "json")
    passed = {verdict["file"] for verdict in json.loads(ran.out)["files"] if verdict["valid"]}

    assert ran.code in (0, 3), ran.err
    assert set() == passed - {f"{name}.json" for name, text in texts.items() if server.takes(case.path, text)}


@pytest.mark.parametrize("case", cases("score"))
def test_every_row_of_a_table_gets_its_prediction_by_the_contract(started: Start, cli: Cli, case: Case) -> None:
    rows = written(cli, case)
    ran = cli("score", "rows.csv", "--target", started(case.server).origin + case.path)

    assert 0 == ran.code, ran.err
    assert list(map(prediction, rows)) == predictions(ran.out)


@pytest.mark.parametrize("case", cases("wrap"))
def test_every_row_of_a_table_gets_its_prediction_by_the_name_of_a_shape(started: Start, cli: Cli, case: Case) -> None:
    rows = written(cli, case)
    target = started(case.server).origin + case.path
    ran = cli("score", "rows.csv", "--target", target, "--wrap", case.wrap, "--no-validate")

    assert 0 == ran.code, ran.err
    assert list(map(prediction, rows)) == predictions(ran.out)


@pytest.mark.parametrize("case", cases("bench"))
def test_every_request_of_a_load_succeeds_by_the_contract(started: Start, cli: Cli, case: Case) -> None:
    made = "gen:rows=1" if case.wrap == "@row" else "gen:rows=3"
    ran = cli("bench", started(case.server).origin + case.path, "-p", made, "-n", 40, "-c", 4, "--format", "json")

    assert 0 == ran.code, ran.err
    assert ({}, 40) == (ran.failures, ran.report["counts"]["ok"])


@pytest.mark.parametrize("case", cases("load"))
def test_every_request_of_a_load_succeeds_with_a_body_of_ones_own(started: Start, cli: Cli, case: Case) -> None:
    cli.write("body.json", json.dumps(case.body(case.rows)))
    target = started(case.server).origin + case.path
    ran = cli("bench", target, "-p", "body.json", "-n", 40, "-c", 4, "--format", "json")

    assert 0 == ran.code, ran.err
    assert ({}, 40) == (ran.failures, ran.report["counts"]["ok"])


@pytest.mark.parametrize("case", cases("check"))
def test_a_check_finds_nothing_wrong(started: Start, cli: Cli, case: Case) -> None:
    cli.write("body.json", json.dumps(case.body(case.rows)))
    own = [] if case.contract else ["-p", "body.json"]
    ran = cli("check", started(case.server).origin + case.path, *own, "--format", "json")
    wrong = {name: step for name, step in steps(ran.out).items() if step["ok"] is not True}

    assert {} == {name: step for name, step in wrong.items() if case.contract or name not in ("contract", "example")}
