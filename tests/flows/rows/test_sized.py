"""Payloads of several sizes, for a sweep of batch sizes."""

import json

import pytest

from epkit.core.contract.contract import parse
from epkit.errors import ContractError, UsageError
from epkit.files import contracts
from epkit.files.dialects import DEFAULT
from epkit.flows.rows import sized
from epkit.flows.rows.sized import sized_payloads
from support.places import ROOT


def bodies(file, sizes, contract=None, **more):
    made = sized_payloads(
        None if file is None else str(file),
        contract,
        sizes,
        target="/score",
        note=lambda _: None,
        options=DEFAULT,
        **more,
    )
    return [(payload.rows, json.loads(payload.body)) for payload in made]


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a\n" + "".join(f"{n}\n" for n in range(7)))
    return path


@pytest.fixture
def bank():
    return contracts.load(ROOT / "swagger" / "bank.swagger2.json")


def numbers(body):
    return [row["a"] for row in body["data"]]


def test_rows_of_a_table_are_taken_in_turn_and_every_body_is_full(table):
    made = [(rows, numbers(body)) for rows, body in bodies(table, (1, 3, 10))]

    assert [[n] for n in range(7)] == [found for rows, found in made if rows == 1]
    assert [[0, 1, 2], [3, 4, 5], [6, 0, 1]] == [found for rows, found in made if rows == 3]
    assert [[0, 1, 2, 3, 4, 5, 6, 0, 1, 2]] == [found for rows, found in made if rows == 10]


def test_of_a_long_table_as_many_bodies_are_made_as_are_of_use(table, monkeypatch):
    monkeypatch.setattr(sized, "MOST_BODIES", 2)

    assert [1, 1, 3, 3] == [rows for rows, _ in bodies(table, (1, 3))]


def test_bodies_that_are_too_large_are_refused_and_of_large_ones_fewer_are_made(table, monkeypatch):
    monkeypatch.setattr(sized, "MOST_BYTES", 100)
    assert [1, 1, 1] == [rows for rows, _ in bodies(table, (1,))][:3]
    assert len(bodies(table, (1,))) < 7

    with pytest.raises(UsageError, match=r"--sweep rows=20: a body of that size has more than 0 MB"):
        bodies(table, (20,))


def test_rows_of_a_request_body_are_taken_with_its_wrapping(tmp_path):
    path = tmp_path / "body.json"
    path.write_text('{"Inputs": {"data": [{"a": 1}, {"a": 2}]}, "GlobalParameters": 5}')

    assert [{"Inputs": {"data": [{"a": 1}, {"a": 2}, {"a": 1}]}, "GlobalParameters": 5}] == [
        body for _, body in bodies(path, (3,))
    ]


def test_rows_are_made_of_the_contract_where_there_is_no_file(bank):
    ((_, first),) = [one for one in bodies(None, (1, 5), bank) if one[0] == 5]
    ((_, again),) = [one for one in bodies(None, (1, 5), bank) if one[0] == 5]

    assert first == again
    assert bank.example["data"] == first["data"][:2]
    assert len({json.dumps(row) for row in first["data"]}) == 5


def test_rows_are_wrapped_as_the_user_says(bank):
    body = bodies(None, (2,), bank, wrap="instances")[0][1]

    assert ["instances"] == list(body)


def test_rows_that_break_the_contract_are_refused(tmp_path, bank):
    path = tmp_path / "t.csv"
    path.write_text("age\nold\n")

    with pytest.raises(ContractError):
        bodies(path, (1, 2), bank)


def test_without_a_contract_and_without_a_file_there_are_no_rows():
    with pytest.raises(UsageError, match=r"--sweep rows=: there is no contract to make rows of: name a file"):
        bodies(None, (1, 2))


def test_a_contract_without_rows_has_none():
    document = {
        "openapi": "3.0.0", "info": {"title": "t", "version": "1"},
        "paths": {"/score": {"post": {"requestBody": {"content": {"application/json": {"schema": {"type": "string"}}}},
                                      "responses": {"200": {"description": "ok"}}}}},
    }  # fmt: skip
    with pytest.raises(UsageError, match="the contract does not say what a row is"):
        bodies(None, (1, 2), parse(document))
