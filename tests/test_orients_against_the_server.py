"""Each of pandas' orients, and a dict of lists: read, made and judged as in the genuine server."""

import json
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest

from epkit.core.contract.contract import ParsedContract, parse
from epkit.core.json.writing import dumps_payload
from epkit.core.shapes.bodies import find_rows
from epkit.core.validate.examples import sample
from epkit.core.validate.validation import Validator
from support.scoring_server import ScoringServer, require
from support.shaken import shaken

FORMS = {
    "split": "split",
    "values": "lists",
    "index": "index",
    "columns": "dicts",
    "table": "table",
    "dicts": "columns",
}
SHAKEN = 250
NAMES = ["name", "age", "income"]


class Case:
    """A script of one orient in the genuine server, and its contract."""

    def __init__(self, orient: str, server: ScoringServer) -> None:
        self.orient, self.server = orient, server
        self.contract: ParsedContract = parse(server.contract(3))
        self.validator = Validator(self.contract)


@pytest.fixture(scope="module", params=FORMS)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    require()
    server = ScoringServer(f"orient_{request.param}").wait()
    try:
        yield Case(request.param, server)
    finally:
        server.close()


def predicted(rows: list[tuple[str, int, float]]) -> list[float]:
    return [age * 2 + income * 0.5 + len(name) + 1 for name, age, income in rows]


def arrived_whole(data: bytes, reply: Any) -> bool:
    """Tell whether the script received each cell unchanged; False if a cell is missing or of a wrong type."""
    found = find_rows(json.loads(data), ("data",))
    if found is None or "seen" not in reply:
        return False
    seen = json.loads(reply["seen"])
    rows = [list(row.values()) if isinstance(row, dict) else row for row in found[1].rows()]
    if not rows or any(not isinstance(row, list) or [type(cell) for cell in row] != [str, int, float] for row in rows):
        return False
    named = found[1].names is None or list(found[1].names) == seen["columns"]
    return named and rows == seen["data"] and found[1].form != "table"  # the schema has its own rules for it


def test_the_contract_says_how_rows_are_written_and_what_their_columns_are(case: Case) -> None:
    spec = case.validator.rows
    assert spec is not None

    kinds = ["string", "number", "number"] if case.orient == "values" else ["string", "integer", "number"]
    columns = spec.cells if case.orient == "values" else spec.columns.values()

    assert (("data",), FORMS[case.orient]) == (spec.path, spec.form)
    assert kinds == [column.kind for column in columns]
    assert case.orient == "values" or NAMES == list(spec.columns)


def test_bodies_made_from_the_contract_are_taken_and_without_a_remark(case: Case) -> None:
    for count, seed in ((None, 0), (1, 1), (7, 2), (7, 3)):
        body = sample(case.contract, rows=count, seed=seed)
        found = find_rows(body, ("data",))
        assert found is not None
        rows = [tuple(row.values()) if isinstance(row, dict) else tuple(row) for row in found[1].rows()]
        data = dumps_payload(body)
        status, reply = case.server.score(data)

        assert (200, ()) == (status, case.validator.check(data).violations)
        assert predicted(rows) == pytest.approx(reply["result"])
        assert count is None or len(rows) == count


def test_no_body_that_the_server_refuses_is_passed_nor_one_that_arrives_whole_refused(case: Case) -> None:
    random = Random(case.orient)
    bodies = [case.contract.example, *(sample(case.contract, rows=count, seed=count) for count in (1, 3, 5))]
    tried: dict[bytes, str] = {}
    while len(tried) < SHAKEN:
        what, data = shaken(random.choice(bodies), random)
        tried.setdefault(data, what)
    passed, refused, takes = [], [], 0
    for data, what in tried.items():
        status, reply = case.server.score(data)
        verdict = case.validator.check(data)
        takes += status == 200
        if verdict.valid and status != 200:
            passed.append((what, data, reply))
        if not verdict.valid and status == 200 and arrived_whole(data, reply):
            refused.append((what, data, verdict.violations[0].message))

    assert ([], []) == (passed, refused)
    assert 20 < takes < SHAKEN - 20
