"""The fields of a report on its page: each has a description, and none is shown as a path."""

import re

from epkit.core.report.document import schema
from epkit.reporters.run.facts import PARTS, WORDS, everything
from support import reports

PLAIN_ELSEWHERE = {"validity.reason_kinds.*"}
"""Fields for epkit's own use."""


def paths(shape, definitions, at):
    """Yield the paths of all leaves of a JSON schema, with `*` for data."""
    if "$ref" in shape:
        shape = definitions[shape["$ref"].rpartition("/")[2]]
    below = [(f"{at}.{key}", inner) for key, inner in shape.get("properties", {}).items()]
    below += [(f"{at}.*", shape[key]) for key in ("items", "additionalProperties") if isinstance(shape.get(key), dict)]
    below += [(at, inner) for inner in shape.get("anyOf", ()) if inner != {"type": "null"}]
    if not below:
        yield at
    for path, inner in below:
        yield from paths(inner, definitions, path)


def test_every_field_of_a_report_has_words_and_no_words_are_left_over():
    document = schema()
    found = {path for part in PARTS for path in paths(document["properties"][part], document["$defs"], part)}
    known = {re.sub(r"^(counts.failures|generator.lag_ms)\.\w+$", r"\1.*", path) for path in found}

    assert known - PLAIN_ELSEWHERE == set(WORDS)


def test_everything_is_said_in_words_and_units():
    said = dict(everything(reports.mixed()))

    assert "0.183 ms" == said["lag of the load generator, p99"]
    assert "1.25 %" == said["CPU of the load generator, of one core"]
    assert "812 bytes" == said["size of payload 1"]
    assert "2" == said["failures of the kind status"]
    assert "failures of the kind connect" not in said
    assert "5001" == said["port"]
    assert [] == [words for words in said if re.search(r"\w\.\w|_", words)]


def test_no_two_fields_have_the_same_words():
    found = list(everything(reports.mixed()))

    assert len(found) == len(dict(found))
