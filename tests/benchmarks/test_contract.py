"""The benchmark of `epkit validate` measures what its text claims."""

import json
import re


def test_bodies_are_compared_with_each_peer_that_is_here(contract, capsys):
    contract.of_bodies(20, 1)
    lines = capsys.readouterr().out.splitlines()

    assert [line for line in lines if "| epkit |" in line] == [line for line in lines if "≤" in line]
    assert {"jsonschema", "jsonschema-rs", "epkit"} <= {line.split(" | ")[1] for line in lines}
    assert all(re.search(r"\| [\d.]+ ms \| [\d.]+ × \|", line) for line in lines)


def test_a_body_has_the_rows_and_the_violations_that_are_asked_for(contract):
    rows = json.loads(contract.body(5, age="old"))["data"]

    assert [(n, "old") for n in range(5)] == [(row["pdays"], row["age"]) for row in rows]


def test_a_file_is_checked_in_a_process_of_its_own(contract, capsys, tmp_path):
    row = contract.PAYLOAD[0]
    (tmp_path / "t.csv").write_text(",".join(row) + "\n" + ",".join(map(str, row.values())) + "\n")
    contract.of_file(tmp_path / "t.csv", 60.0)

    assert re.search(r"\| csv of 0 MB.* \| epkit \| [\d.]+ s \| \d+ MB \| met", capsys.readouterr().out)
