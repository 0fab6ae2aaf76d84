"""The contract in Python and in notebooks."""

import json
from pathlib import Path

import numpy as np
import pytest

from epkit.contract import Contract
from epkit.errors import UsageError

ITEMS = {"type": "object", "required": ["age"], "properties": {"age": {"type": "integer"}}}
BODY = {"type": "object", "properties": {"data": {"type": "array", "items": ITEMS}}, "example": {"data": [{"age": 1}]}}
POST = {"parameters": [{"in": "body", "schema": BODY}], "responses": {"200": {"schema": {"type": "array"}}}}


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    file = tmp_path / "swagger.json"
    file.write_text(json.dumps({"swagger": "2.0", "paths": {"/score": {"post": POST}}}))
    return Contract.load(file)


def test_payloads_are_checked_as_objects_and_as_bytes(contract: Contract) -> None:
    payloads = [{"data": [{"age": 1}]}, {"data": [{"age": np.int64(3)}]}, b'{"data": [{"age": 1}]}', {"data": []}]

    assert [True, True, True, False] == [contract.validate(payload).valid for payload in payloads]
    assert contract.validate({"data": []}, as_declared=True).valid


def test_what_json_has_no_word_for_is_refused(contract: Contract) -> None:
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        contract.validate({"data": object()})


def test_samples_tables_and_replies_go_through_the_same_contract(contract: Contract, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("age\n1\n")

    assert contract.validate(contract.sample(rows=5)).valid
    assert contract.validate_table(tmp_path / "a.csv").valid
    assert contract.validate_reply(b"[1]", rows=1).valid
    assert {"data": [{"age": 1}]} == contract.example
