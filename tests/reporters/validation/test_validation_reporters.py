"""A validation in each of its formats."""

import json
from xml.etree import ElementTree as ET

from epkit.core.validate.checked import CheckedFile, Validation
from epkit.core.validate.violations import Verdict, Violation
from epkit.reporters.validation import json as validation_json
from epkit.reporters.validation import junit as validation_junit
from epkit.reporters.validation import markdown as validation_markdown
from epkit.reporters.validation import sarif as validation_sarif
from epkit.reporters.validation import text as validation_text

ERROR = Violation(
    pointer="/data/3/age",
    rule="type",
    message='"old" is not an integer',
    severity="error",
    row=3,
    rows=1,
    first_rows=(3,),
    line=7,
    column=14,
)
MANY = Violation(
    pointer="/data/0/educaton",
    rule="additionalProperties",
    message='unknown column "educaton"',
    severity="error",
    hint='did you mean "education"?',
    row=0,
    rows=10_000,
    first_rows=(0, 1, 2, 3, 4),
    line=1,
)
WARNING = Violation(pointer="", rule="parameter", message='"\x1b[31m\ud800<&"', severity="warning")
VALIDATION = Validation(
    schema="swagger.json",
    files=(
        CheckedFile(
            file="a.json",
            verdict=Verdict(violations=(ERROR, MANY, WARNING), errors=10_001, warnings=1, kinds=5),
        ),
        CheckedFile(file="b & c.json", verdict=Verdict()),
        CheckedFile(file="d.json", verdict=Verdict(violations=(WARNING,), warnings=1, kinds=1)),
        CheckedFile(file="e.json", verdict=Verdict(errors=1, kinds=1)),
    ),
)

TEXT = """\
a.json:7:14  /data/3/age  type  "old" is not an integer (row 3)
a.json:1  /data/0/educaton  additionalProperties  unknown column "educaton": did you mean "education"? \
(10,000 rows: 0, 1, 2, 3, 4, …)
a.json  /  parameter  warning: "\\x1b[31m\\ud800<&"
a.json: 2 more kinds of violation not shown (--max-violations)
a.json: invalid: 10,001 errors, 1 warning
b & c.json: valid
d.json  /  parameter  warning: "\\x1b[31m\\ud800<&"
d.json: valid: 1 warning
e.json: 1 more kind of violation not shown (--max-violations)
e.json: invalid: 1 error
"""


def test_text_has_a_line_a_violation_and_a_line_a_file() -> None:
    assert TEXT == validation_text.render(VALIDATION)


def test_json_is_the_document_that_is_promised() -> None:
    document = json.loads(validation_json.render(VALIDATION))
    first = document["files"][0]

    assert ("epkit.validation/1", "swagger.json") == (document["format"], document["schema"])
    assert [False, True, True, False] == [file["valid"] for file in document["files"]]
    assert ("a.json", 10_002) == (first["file"], first["total"])
    assert {
        "pointer": "/data/0/educaton",
        "rule": "additionalProperties",
        "message": 'unknown column "educaton" (10,000 rows: 0, 1, 2, 3, 4, …)',
        "hint": 'did you mean "education"?',
        "severity": "error",
        "row": 0,
        "rows": 10_000,
        "line": 1,
        "column": None,
    } == first["violations"][1]
    assert ["file", "valid", "total", "violations"] == list(first)
    assert '"old" is not an integer' == first["violations"][0]["message"]
    assert validation_json.render(VALIDATION).encode()


def test_junit_has_a_case_a_file_and_a_failure_where_there_is_an_error() -> None:
    root = ET.fromstring(validation_junit.render(VALIDATION))
    cases = root.findall("testsuite/testcase")

    assert ("4", "2") == (root.get("tests"), root.get("failures"))
    assert ["a.json", "b & c.json", "d.json", "e.json"] == [case.get("name") for case in cases]
    assert [True, False, False, True] == [case.find("failure") is not None for case in cases]
    assert [True, False, True, False] == [case.find("system-out") is not None for case in cases]
    assert '"old" is not an integer (row 3)' == cases[0].find("failure").get("message")  # type: ignore[union-attr]


def test_sarif_has_a_result_a_violation_with_its_place() -> None:
    (run,) = json.loads(validation_sarif.render(VALIDATION, version="1.2.3"))["runs"]
    results = run["results"]

    assert ["error", "error", "warning", "warning"] == [result["level"] for result in results]
    assert ["additionalProperties", "parameter", "type"] == [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert all(run["tool"]["driver"]["rules"][r["ruleIndex"]]["id"] == r["ruleId"] for r in results)
    assert {"startLine": 7, "startColumn": 14} == results[0]["locations"][0]["physicalLocation"]["region"]
    assert {"startLine": 1} == results[1]["locations"][0]["physicalLocation"]["region"]
    assert "region" not in results[2]["locations"][0]["physicalLocation"]


MARKDOWN = """\
### epkit validate: 2 of 4 files invalid

`a.json`: 10,001 errors, 1 warning

| place | in the payload | rule | |
|---|---|---|---|
| 7:14 | /data/3/age | type | "old" is not an integer (row 3) |
| 1 | /data/0/educaton | additionalProperties | unknown column "educaton": did you mean "education"? \
(10,000 rows: 0, 1, 2, 3, 4, …) |
|  | / | parameter | warning: "\\\\x1b\\[31m\\\\ud800\\<\\&" |

2 more kinds of violation.

`e.json`: 1 error

`d.json`: 1 warning

| place | in the payload | rule | |
|---|---|---|---|
|  | / | parameter | warning: "\\\\x1b\\[31m\\\\ud800\\<\\&" |

contract: `swagger.json`
"""


def test_markdown_is_a_table_a_file_that_is_not_clean() -> None:
    assert MARKDOWN == validation_markdown.render(VALIDATION)


def test_markdown_of_many_files_and_violations_stays_short() -> None:
    verdict = Verdict(violations=(ERROR,) * 30, errors=30, kinds=30)
    files = tuple(CheckedFile(file=f"{number}.json", verdict=verdict) for number in range(101))
    found = validation_markdown.render(Validation(schema="a", files=files))

    assert 100 * 20 == found.count("| type |")
    assert 100 == found.count("\n10 more kinds of violation.\n")
    assert "\n1 more file with violations.\n" in found
