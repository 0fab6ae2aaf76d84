"""One mistake in a JSON text reads the same from every command that reads JSON."""

import pytest

from support.cli_harness import complaint
from support.places import ROOT

SWAGGER = (ROOT / "swagger" / "bank.swagger2.json").read_bytes()

URL = "http://127.0.0.1:9/score"  # never connected to: the command ends before

MISTAKES = {
    b'{"data": [{"age": 17}, {"age": ]}': "1:32: not JSON: expecting value",
    b'{"data": [\n{"age": True}]}': "2:9: not JSON: expecting value: JSON writes true, false and null",
    b"{'data': []}": "1:2: not JSON: expecting property name enclosed in double quotes: JSON writes text in double quotes",
    b'{"data": [] // rows\n}': "1:13: not JSON: expecting ',' delimiter: JSON has no comments",
    b'{"data": [1,]}': "1:13: not JSON: expecting value: no comma before the closing bracket",
    b'{"data": [1': "1:12: not JSON: expecting ',' delimiter: the text ends here",
    b'{"data": []} x': "1:14: not JSON: extra data",
    b'{"a": "\xe9"}': "1:8: not UTF-8: byte 0xe9: save the file as UTF-8",
    b"<html></html>": "1:1: not JSON: expecting value: this is HTML or XML",
    b'{"data": ' + b"[" * 2000: "1:509: nested deeper than 500 levels, more than servers read",
    b'{"data": ' + b"7" * 5000 + b"}": "1:10: a number of more than 4,300 digits, more than servers read",
}
"""A text, and the message about it."""

COMMANDS = (
    ("bench", "-p", "mistake.json", URL),
    ("bench", "-p", "mistake.json", "--schema", "swagger.json", URL),
    ("bench", "--check", "expect", "--expect", "mistake.json", "-p", "good.json", "--no-validate", URL),
    ("score", "mistake.json", "--no-validate", "--target", URL),
    ("score", "mistake.json", "--schema", "swagger.json", "--target", URL),
    ("validate", "good.json", "--schema", "mistake.json"),
    ("bench", "--schema", "mistake.json", "-p", "good.json", URL),
)


@pytest.mark.parametrize(("text", "words"), MISTAKES.items(), ids=MISTAKES.values())
def test_a_mistake_reads_the_same_from_every_command(cli, text, words):
    cli.write("mistake.json", text)
    cli.write("good.json", '{"data": []}')
    cli.write("swagger.json", SWAGGER)
    said = [complaint(cli(*command), 2) for command in COMMANDS]
    verdict = cli("validate", "mistake.json", "--schema", "swagger.json")
    place, _, reason = words.partition(": ")

    assert [f"mistake.json:{words}"] * len(COMMANDS) == said
    assert f"mistake.json:{place}  /  json  {reason}" == verdict.out.splitlines()[0]


@pytest.mark.parametrize("text", [text for text in MISTAKES if b"\n" not in text])
def test_a_mistake_in_a_line_reads_the_same_as_in_a_file(cli, text):
    cli.write("mistake.jsonl", b"{}\n" + text + b"\n")
    cli.write("swagger.json", SWAGGER)
    words = MISTAKES[text].removeprefix("1:")
    place, _, reason = words.partition(": ")
    verdict = cli("validate", "mistake.jsonl", "--schema", "swagger.json")

    assert f"mistake.jsonl:2:{words}" == complaint(cli("bench", "-p", "mistake.jsonl", URL), 2)
    assert f"mistake.jsonl:2:{words}" == complaint(cli("score", "mistake.jsonl", "--no-validate", "--target", URL), 2)
    assert f"mistake.jsonl:2:{place}  /data/1  json  {reason} (row 1)" in verdict.out.splitlines()
