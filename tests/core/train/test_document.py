"""`train.json`: writing and reading, and its schema with valid and invalid documents."""

import json
import math
from dataclasses import replace

import jsonschema
import pytest

from epkit.core.train.document import TRAININGS, schema, to_document
from epkit.core.train.report import Figure
from support import train_reports
from support.goldens import check_file
from support.places import ROOT

CHECK = jsonschema.Draft202012Validator(schema())


@pytest.mark.parametrize("name", train_reports.ALL)
def test_a_report_comes_back_as_it_was(name):
    report = train_reports.ALL[name]()
    document = json.loads(json.dumps(to_document(report), allow_nan=False))

    assert [] == list(CHECK.iter_errors(document))
    assert report == TRAININGS.from_document(document)


@pytest.mark.parametrize("text", [text for text in train_reports.HOSTILE if text.isascii()])
def test_what_a_table_says_stays_as_it_is(text):
    document = to_document(train_reports.hostile(text))

    assert text == document["data"]["label"]
    assert [] == list(CHECK.iter_errors(json.loads(json.dumps(document))))


def test_the_published_schema_is_the_one_of_the_classes():
    published = ROOT / "src" / "epkit" / "core" / "train" / "train.schema.json"

    check_file(published, json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
    jsonschema.Draft202012Validator.check_schema(schema())


def test_the_document_names_its_format_first():
    document = to_document(train_reports.bank())

    assert ("format", "epkit.train/1") == next(iter(document.items()))
    assert {"$ref": "#/$defs/Figure"} == schema()["$defs"]["Best"]["properties"]["validation"]["additionalProperties"]


@pytest.mark.parametrize(("path", "key"), [((), "gates"), (("best",), "optimism"), (("data",), "sha256")])
def test_a_document_without_a_key_or_with_one_more_is_invalid(path, key):
    for change in (lambda part: part.pop(key), lambda part: part.update(surplus=1)):
        document = json.loads(json.dumps(to_document(train_reports.bank())))
        part = document
        for step in path:
            part = part[step]
        change(part)

        assert not CHECK.is_valid(document)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_figure_that_is_no_number_is_refused(value):
    broken = replace(train_reports.bank().best, validation={"AUC": Figure(value=value)})

    with pytest.raises(ValueError, match="JSON has no number"):
        to_document(replace(train_reports.bank(), best=broken))
