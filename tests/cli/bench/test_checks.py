"""`--check contract` and `--expect`: replies are compared with the expected ones."""

import json

import pytest

from support.cli_harness import complaint

GOOD, BAD = '{"result": ["yes", "no"]}', '{"result": ["yes", "yes"]}'
# The reply of the fault server's `ok`: the same two predictions, as JSON in a JSON string.


def contract(items):
    reply = {"type": "array", "items": {"type": items}}
    return json.dumps(
        {
            "swagger": "2.0",
            "info": {"title": "t", "version": "1"},
            "paths": {
                "/score": {
                    "post": {
                        "parameters": [
                            {
                                "in": "body",
                                "name": "body",
                                "schema": {
                                    "type": "object",
                                    "properties": {
                                        "data": {
                                            "type": "array",
                                            "items": {"type": "object", "properties": {"age": {"type": "integer"}}},
                                        }
                                    },
                                },
                            }
                        ],
                        "responses": {"200": {"description": "", "schema": reply}},
                    }
                }
            },
        }
    )


@pytest.fixture
def bench(cli, rows, fault_server):
    def run(*arguments):
        return cli("bench", "-n", 200, "-c", 4, "-p", rows, "--format", "json", *arguments, fault_server.url("ok"))

    return run


def test_golden_predictions_pass(cli, bench):
    ran = bench("--no-validate", "--expect", cli.write("golden.json", GOOD))

    assert (0, {}) == (ran.code, ran.failures)


def test_another_prediction_is_a_mismatch(cli, bench):
    ran = bench("--no-validate", "--expect", cli.write("golden.json", BAD), "--save", "x.epkit")

    assert "row 1: 'no' instead of 'yes'" in complaint(ran, 4)
    assert {"mismatch": 200} == ran.failures
    assert ran.out == cli("report", "x.epkit", "--format", "json").out


def test_what_score_writes_is_golden(cli, bench):
    lines = "".join(json.dumps({"row": row, "prediction": said}) + "\n" for row, said in enumerate(("yes", "no")))

    assert 0 == bench("--no-validate", "--expect", cli.write("golden.jsonl", lines)).code


def test_a_reply_of_the_declared_type_passes_and_another_does_not(cli, bench):
    good = bench("--check", "contract", "--schema", cli.write("good.json", contract("string")))
    bad = bench("--check", "contract", "--schema", cli.write("bad.json", contract("integer")))

    assert (0, {}) == (good.code, good.failures)
    assert "the reply breaks the contract" in complaint(bad, 4)
    assert {"contract": 200} == bad.failures


@pytest.mark.parametrize(
    ("golden", "why"),
    [
        ("[1, 2", "golden.json:1:6: not JSON"),
        ("{}", "--expect golden.json: reply 1: no list of predictions"),
        ('{"prediction": 1}', "1 predictions are expected, and the payloads hold 2 rows"),
    ],
)
def test_golden_predictions_that_cannot_be_used_are_told(cli, bench, fault_server, golden, why):
    assert why in complaint(bench("--no-validate", "--expect", cli.write("golden.json", golden)), 2)
    assert 0 == fault_server.connections


def test_an_expectation_wants_a_file(bench):
    assert "--expect FILE holds it" in complaint(bench("--no-validate", "--check", "expect"), 2)


def nested(cli, rows, fault_server, *arguments, every=1):
    contract_of = cli.write("contract.json", contract("string"))
    return cli(
        "bench", "-n", 30, "-p", rows, "--check", "contract", "--schema", contract_of, *arguments,
        fault_server.url(f"nested?every={every}"),
    )  # fmt: skip


@pytest.mark.parametrize("workers", [(), ("-c", 2, "--workers", 2)])
def test_a_reply_that_cannot_be_checked_fails_and_the_others_are_checked(cli, rows, fault_server, workers):
    ran = nested(cli, rows, fault_server, "--format", "json", *workers, every=3)

    assert "the reply breaks the contract" in complaint(ran, 5)
    assert {"contract": 10} == ran.failures
    assert "cannot be checked: the reply is nested too deeply" == ran.report["failures"][0]["detail"]
    assert ran.report["validity"]["valid"]
    assert [] == [line for line in ran.report["warnings"] if "--check" in line]


@pytest.mark.parametrize("workers", [(), ("-c", 2, "--workers", 2)])
def test_a_run_that_could_check_none_of_its_replies_is_not_valid(cli, rows, fault_server, workers):
    ran = nested(cli, rows, fault_server, "--format", "json", *workers)

    assert 4 == ran.code
    assert "--check contract could check none of 30 replies: it failed on 30" in ran.report["validity"]["reasons"]
    assert "Traceback" not in ran.err
