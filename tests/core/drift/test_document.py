"""The JSON document of drift: writing and reading, and its schema."""

import json

import jsonschema
import pytest

from epkit.core.drift.document import DRIFTS, schema, to_document
from support import drift_reports
from support.goldens import check_file
from support.places import ROOT

CHECK = jsonschema.Draft202012Validator(schema())


@pytest.mark.parametrize("name", drift_reports.ALL)
def test_a_report_comes_back_as_it_was(name):
    report = drift_reports.ALL[name]()
    document = json.loads(json.dumps(to_document(report), allow_nan=False))

    assert [] == list(CHECK.iter_errors(document))
    assert report == DRIFTS.from_document(document)
    assert ("format", "epkit.drift/1") == next(iter(document.items()))


def test_the_published_schema_is_the_one_of_the_classes():
    published = ROOT / "src" / "epkit" / "core" / "drift" / "drift.schema.json"

    check_file(published, json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")


@pytest.mark.parametrize("key", ["found", "columns", "schema"])
def test_a_document_without_a_key_or_with_one_more_is_invalid(key):
    document = to_document(drift_reports.bank())

    assert not CHECK.is_valid({name: value for name, value in document.items() if name != key})
    assert not CHECK.is_valid({**document, "surplus": 1})
