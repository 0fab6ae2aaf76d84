import csv
import json
import re
import urllib.error
import urllib.request

import pytest

from epkit.bank.contracts import FILES, fetch
from epkit.bank.score import COLUMNS, ROWS
from support.places import ROOT

PAYLOADS = ROOT / "payloads"
README = (PAYLOADS / "README.md").read_text(encoding="utf-8")
BROKEN = re.findall(r"^\| `(broken-[^`]+)` \| .* \| (.+) \|$", README, re.MULTILINE)


def post(endpoint, body):
    headers = {"Authorization": f"Bearer {endpoint.key.reveal()}", "Content-Type": "application/json"}
    try:
        request = urllib.request.Request(endpoint.uri, data=body, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(("name", "version"), FILES.items())
def test_the_kept_contract_is_what_the_endpoint_answers(endpoint, name, version):
    assert (ROOT / "swagger" / name).read_bytes() == fetch(endpoint, version)


def test_the_contracts_example_is_the_courses_two_rows():
    contract = json.loads((ROOT / "swagger/bank.swagger2.json").read_bytes())
    example = contract["definitions"]["ServiceInput"]["example"]

    assert example == {"data": ROWS, "method": "predict"}


def test_the_two_rows_are_answered_in_the_courses_shape(endpoint):
    answer = post(endpoint, (PAYLOADS / "bank-two-rows.json").read_bytes())

    assert answer == (200, r'"{\"result\": [\"yes\", \"no\"]}"')


def test_the_two_rows_are_the_same_in_both_wrappings():
    first = json.loads((PAYLOADS / "bank-two-rows.json").read_bytes())
    second = json.loads((PAYLOADS / "bank-two-rows-v2.json").read_bytes())

    assert first == {"data": ROWS}
    assert second == {"Inputs": {"data": ROWS}, "GlobalParameters": {"method": "predict"}}


def test_a_body_for_a_newer_endpoint_is_refused(endpoint):
    status, _ = post(endpoint, (PAYLOADS / "bank-two-rows-v2.json").read_bytes())

    assert status == 400


def test_every_payload_is_in_the_readme():
    files = {path.name for path in PAYLOADS.iterdir()} - {"README.md"}

    assert files == set(re.findall(r"^\| `([^`]+)`", README, re.MULTILINE))


@pytest.mark.parametrize(("name", "answer"), BROKEN)
def test_a_broken_payload_is_answered_as_the_readme_says(endpoint, name, answer):
    status, text = post(endpoint, (PAYLOADS / name).read_bytes())
    said = f"{status}" + (" with an error" if r"{\"error\"" in text else "")

    assert answer == said


def test_the_rows_of_the_table_are_scored(endpoint):
    with (PAYLOADS / "bank-rows.csv").open(newline="") as file:
        rows = [{name: kind(row[name]) for name, kind in COLUMNS.items()} for row in csv.DictReader(file, strict=True)]
    status, text = post(endpoint, json.dumps({"data": rows}).encode())

    assert (status, len(json.loads(json.loads(text))["result"])) == (200, 20)
