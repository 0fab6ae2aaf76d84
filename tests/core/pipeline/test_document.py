"""`epkit.pipeline/1`: writing and reading, and its schema with valid and invalid documents."""

import json

import jsonschema
import pytest

from epkit.core.pipeline import comparison
from epkit.core.pipeline.document import from_document, schema, step_from_plain, step_to_plain, to_document
from epkit.core.pipeline.steps import key_of
from support.goldens import check_file
from support.pipeline_runs import pipeline_run
from support.places import ROOT

CHECK = jsonschema.Draft202012Validator(schema())


@pytest.mark.parametrize("missed", [False, True])
def test_a_run_comes_back_as_it_was(missed):
    run = pipeline_run(missed=missed)
    document = json.loads(json.dumps(to_document(run), allow_nan=False))

    assert [] == list(CHECK.iter_errors(document))
    assert run == from_document(document)


def test_a_step_comes_back_as_it_was():
    for step in pipeline_run().steps:
        assert step == step_from_plain(json.loads(json.dumps(step_to_plain(step))))


def test_the_published_schema_is_the_one_of_the_classes():
    published = ROOT / "src" / "epkit" / "core" / "pipeline" / "pipeline.schema.json"

    check_file(published, json.dumps(schema(), indent=2, ensure_ascii=False) + "\n")
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(state="fine"),
        lambda d: d["steps"][0].update(state="done"),
        lambda d: d["steps"][0].update(step="deta"),
        lambda d: d.pop("steps"),
        lambda d: d.update(surplus=1),
        lambda d: d.update(format="epkit.pipeline/2"),
    ],
)
def test_what_is_no_run_is_refused_by_the_schema_and_the_reader(change):
    document = json.loads(json.dumps(to_document(pipeline_run())))
    change(document)

    assert not CHECK.is_valid(document)
    with pytest.raises(ValueError, match=r"\S"):
        from_document(document)


def test_a_comparison_has_what_differs_and_what_came_of_it():
    other = pipeline_run(5, missed=True, parameters={"data": "bank.csv", "label": "y", "train": {"runs": 4}})
    document = json.loads(json.dumps(comparison.to_document(comparison.compare(pipeline_run(4), other))))

    assert [] == list(jsonschema.Draft202012Validator(comparison.schema()).iter_errors(document))
    assert ("bank", 4, 5) == (document["pipeline"], document["one"], document["other"])
    parameters = {each["name"]: (each["one"], each["other"]) for each in document["parameters"]}
    assert {"train.runs": (30, 4), "deploy.endpoint": ("bank", None)} == parameters
    outcomes = {each["name"]: (each["one"], each["other"]) for each in document["outcomes"]}
    assert (("ok", "stopped"), (9.1, None)) == (outcomes["state"], outcomes["p99_ms"])
    (figure,) = document["figures"]
    assert ("AUC", 0.95, 0.93) == (figure["name"], figure["one"]["value"], figure["other"]["value"])


def test_the_published_schema_of_a_comparison_is_the_one_of_the_classes():
    published = ROOT / "src" / "epkit" / "core" / "pipeline" / "comparison.schema.json"

    check_file(published, json.dumps(comparison.schema(), indent=2, ensure_ascii=False) + "\n")
    jsonschema.Draft202012Validator.check_schema(comparison.schema())


def test_a_key_depends_on_values_and_not_on_their_order():
    one = key_of(table="a", plan={"runs": 4, "seed": 0})

    assert one == key_of(plan={"seed": 0, "runs": 4}, table="a")
    assert one != key_of(table="a", plan={"runs": 5, "seed": 0})
    assert 32 == len(one)
