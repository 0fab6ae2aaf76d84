"""The default verdict is the genuine server's: asked of the server itself, payload by payload."""

import json
import math
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from epkit.core.contract import Contract, parse
from epkit.core.sample import sample
from epkit.core.validation import Validator, encode
from mutations import mutate
from scoring_server import ScoringServer, require
from shared import shared

ROWS = {
    "v1": ("data",),
    "v2": ("Inputs", "data"),
    "regression": ("Inputs", "data"),
    "forecast": ("Inputs", "data"),
    "numpy2d": ("data",),
    "standard": ("data",),
    "undecorated": (),
    "binary": (),
}
MUTATED = 325
PAYLOADS = (
    *("ok-v1-bank", "ok-v1-bank-onerow", "ok-v2-bank-GlobalParameters", "ok-v2-bank-noGlobalParameters"),
    *("bad-v1-numbers-as-strings", "bad-v2-Inputs-is-list", "other-mlflow-split", "other-numpy2d"),
    *("other-promptflow", "other-tfserving-instances"),
)


@pytest.fixture(scope="module", params=ROWS)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[str, ScoringServer]]:
    require()
    server = ScoringServer(request.param).wait()
    yield request.param, server
    server.close()


def took(status: int, reply: Any) -> bool:
    return status == 200 and not (isinstance(reply, dict) and reply.get("error"))


def excused(validator: Validator, data: bytes) -> bool:
    """A refusal that no contract can tell of, and that a warning has told of."""
    found = validator.check(data).violations
    return any(v.rule in ("parameter", "undeclared") or "time zone" in v.message for v in found)


def arrived(sent: Any, seen: Any, kind: str) -> bool:
    """Whether a cell is the same before and after the server's coercion, in the type that the contract declares."""
    if isinstance(sent, list | dict):
        return False
    if kind == "string":
        return sent == seen or (isinstance(sent, int | float) and not isinstance(sent, bool) and str(sent) == str(seen))
    if sent is None or isinstance(sent, bool) != (kind == "boolean"):
        return kind == "boolean" and type(sent) is int and sent in (0, 1)
    if kind == "boolean":
        return sent is seen
    try:
        return math.isclose(float(sent), float(seen), rel_tol=1e-6) and not isinstance(seen, bool)
    except (TypeError, ValueError):
        return False


def arrived_whole(data: bytes, reply: Any, validator: Validator, path: tuple[str, ...], example: Any) -> bool:
    """Whether each declared cell, and nothing but parameters as in the example, arrived as it was sent."""
    body = json.loads(data.decode("utf-8-sig"))
    if any(body.get(key, value) != value for key, value in example.items() if key != path[0]):
        return False
    for key in path:
        body = body.get(key) if isinstance(body, dict) else None
    rows = validator.rows
    if rows is None or not isinstance(body, list) or "seen" not in reply:
        return False
    _, names, cells = reply["seen"]
    cells = json.loads(cells)
    if rows.shape == "matrix":
        return all(
            type(sent) is int and sent == seen
            for a, b in zip(body, cells, strict=True)
            for sent, seen in zip(a, b, strict=True)
        )
    for row, seen in zip(body, cells, strict=True):
        if not isinstance(row, dict) or set(row) != set(rows.columns):
            return False
        for name, value in zip(names, seen, strict=True):
            column = rows.columns[name]
            if column.kind is None or column.format == "date-time":
                return False
            if not arrived(row[name], value, column.kind):
                return False
    return True


def base_body(contract: Contract, path: tuple[str, ...]) -> Any:
    body = sample(contract, rows=3 if path else None, seed=1)
    assert isinstance(body, dict)
    return body


def test_no_mutated_payload_that_the_server_refuses_is_passed_nor_one_that_arrives_whole_refused(
    served: tuple[str, ScoringServer],
) -> None:
    name, server = served
    path = ROWS[name] or ("data",)
    contract = parse(server.contract())
    validator = Validator(contract)
    base = base_body(contract, ROWS[name])
    random = Random(name)
    passed, refused = [], []
    for _ in range(MUTATED if ROWS[name] else 60):
        what, data = mutate(base, path, random)
        status, reply = server.score(data)
        verdict = validator.check(data)
        if verdict.valid and not took(status, reply) and not excused(validator, data):
            passed.append((what, status, reply))
        if not verdict.valid and took(status, reply) and arrived_whole(data, reply, validator, path, base):
            refused.append((what, [v.message for v in verdict.violations]))

    assert ([], []) == (passed, refused)


def test_the_corpus_is_judged_as_the_server_judges_it(
    served: tuple[str, ScoringServer], capsys: pytest.CaptureFixture[str]
) -> None:
    name, server = served
    folder = shared("data/payloads")
    validator = Validator(parse(server.contract(version=3)))
    table = []
    false = []
    for payload in PAYLOADS:
        data = (folder / f"{payload}.json").read_bytes()
        status, reply = server.score(data)
        verdict = validator.check(data)
        found = verdict.violations
        told = f"{found[0].severity}: {found[0].message[:70]}" if found else "valid"
        answer = "accepts" if took(status, reply) else f"refuses ({status})"
        table.append(f"{name:12} {payload:32} server {answer:15} epkit {told}")
        if verdict.valid and not took(status, reply) and not excused(validator, data):
            false.append(payload)
    with capsys.disabled():
        print("\n" + "\n".join(table))

    assert [] == false


@pytest.mark.parametrize("version", [2, 3])
def test_a_body_made_from_the_contract_is_accepted(served: tuple[str, ScoringServer], version: int) -> None:
    name, server = served
    if name == "undecorated":
        pytest.skip("a contract that says nothing gives nothing to make a body of")
    contract = parse(server.contract(version=version))
    bodies = [encode(sample(contract, rows=5 if ROWS[name] else None, seed=seed)) for seed in range(5)]

    answers = [took(*server.score(body)) for body in bodies]

    assert [True] * 5 == answers


def test_a_body_made_from_the_contract_is_without_a_remark(served: tuple[str, ScoringServer]) -> None:
    name, server = served
    contract = parse(server.contract())
    validator = Validator(contract)
    if name == "undecorated":
        pytest.skip("a contract that says nothing is remarked upon")

    verdicts = [
        validator.check(encode(sample(contract, rows=7 if ROWS[name] else None, seed=seed))).violations
        for seed in range(5)
    ]

    assert [()] * 5 == verdicts
