"""`score.py` of a trained model in the genuine server."""

import json
import re
import sys

import pytest

from epkit.core.contract.contract import parse
from epkit.core.train.card import CustomModel, card_bytes
from epkit.core.validate.validation import Validator
from epkit.files.model_directory import write
from epkit.learners.exporting import from_lightgbm
from epkit.served.script import conda, script
from support import scoring_server
from support.places import ROOT
from support.scoring_server import ScoringServer
from support.trained import bank_like, booster, card_of, learned_from, lightgbm, write_model

COURSE = json.loads((ROOT / "payloads" / "bank-two-rows.json").read_text())


def serve(directory):
    return ScoringServer("score", directory=directory).wait()


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    """A model of a generated table with the course's columns: its server, and the learned table."""
    scoring_server.require()
    lightgbm()
    learned = learned_from(bank_like())
    arrays = from_lightgbm(booster(learned), learned.examples.matrix)
    server = serve(write_model(tmp_path_factory.mktemp("models") / "bank", learned, arrays))
    yield server
    server.close()


@pytest.fixture(scope="module")
def gaps(tmp_path_factory):
    """A regression whose columns have missing values, dates, booleans and unusual names."""
    scoring_server.require()
    lightgbm()
    rows = 200
    learned = learned_from(
        {
            'a "b" c': [None if row % 7 == 0 else row % 11 for row in range(rows)],
            "🐟": [None if row % 5 == 0 else "xyz"[row % 3] for row in range(rows)],
            "since": [f"20{10 + row % 9}-0{1 + row % 9}-11" for row in range(rows)],
            "paid": [row % 4 == 0 for row in range(rows)],
            "y": [(row % 11) * 1.5 + (row % 4 == 0) for row in range(rows)],
        }
    )
    arrays = from_lightgbm(booster(learned), learned.examples.matrix)
    server = serve(write_model(tmp_path_factory.mktemp("models") / "gaps", learned, arrays))
    yield server
    server.close()


def score(server, body):
    server.connection.close()  # the server closes a connection that was idle during the start of another one
    return server.score(json.dumps(body).encode())


def test_the_courses_two_rows_are_answered_as_in_the_course(bank):
    status, reply = score(bank, COURSE)

    assert (200, {"result": ["yes", "no"]}) == (status, reply)


def test_the_second_form_of_a_body_is_answered_alike(bank):
    body = {"Inputs": COURSE, "GlobalParameters": {"method": "predict"}}

    assert (200, {"result": ["yes", "no"]}) == score(bank, body)
    assert (200, {"result": ["yes", "no"]}) == score(bank, {"Inputs": COURSE})


@pytest.mark.parametrize(
    "body",
    [
        {**COURSE, "method": "predict_proba"},
        {"Inputs": COURSE, "GlobalParameters": {"method": "predict_proba"}},
    ],
)
def test_probabilities_are_those_of_no_and_yes(bank, body):
    status, reply = score(bank, body)

    assert 200 == status
    (no, yes), (later_no, later_yes) = reply["result"]
    assert no < 0.5 < yes
    assert later_yes < 0.5 < later_no
    assert pytest.approx(1.0) == no + yes


def test_a_table_may_be_sent_with_its_label_and_more(bank):
    rows = [{"id": 7, **row, "y": "no"} for row in COURSE["data"]]

    assert (200, {"result": ["yes", "no"]}) == score(bank, {"data": rows})


def test_no_rows_have_no_answers(bank):
    assert (200, {"result": []}) == score(bank, {"data": []})


def test_a_category_that_training_never_saw_is_scored(bank):
    rows = [{**row, "job": "astronaut"} for row in COURSE["data"]]

    assert (200, {"result": ["yes", "no"]}) == score(bank, {"data": rows})


def changed(**cells):
    first, second = COURSE["data"]
    return {"data": [first, {name: cell for name, cell in {**second, **cells}.items() if cell != "gone"}]}


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (changed(age="old"), 'row 2, column "age": "old" is not a number'),
        (changed(age=[1]), 'row 2, column "age": [1] is not a number'),
        (changed(age=10**400), 'row 2, column "age": 1' + "0" * 58 + "… is not a number"),
        (
            changed(age=None),
            'row 2, column "age": missing, and the model was trained on rows that all have a value',
        ),
        (
            changed(job=None),
            'row 2, column "job": missing, and the model was trained on rows that all have a value',
        ),
        (changed(job={"a": 1}), 'row 2, column "job": {"a": 1} is not a text'),
        (changed(age="gone"), 'row 2: there is no column "age"'),
        (
            changed(age="gone", Age=3),
            'row 2: there is no column "age", but "Age", which the model does not know',
        ),
        ({"data": [1]}, '"data" is a list of objects, one a row'),
        ({"data": "x"}, '"data" is a list of objects, one a row'),
        ({}, '"data" is a list of objects, one a row'),
        ({**COURSE, "method": "guess"}, 'the method is "predict" or "predict_proba", not "guess"'),
    ],
)
def test_what_cannot_be_read_is_named_with_its_row_and_column(bank, body, error):
    assert (400, {"error": error}) == score(bank, body)


def test_an_infinite_number_is_refused(bank):
    body = json.dumps(changed(age=12345)).replace("12345", "Infinity").encode()

    assert (400, {"error": 'row 2, column "age": an infinite number'}) == bank.score(body)


@pytest.mark.parametrize("version", [2, 3])
def test_the_contract_names_the_columns_and_shows_no_row_of_the_table(bank, version):
    document = bank.contract(version)
    schemas = document["definitions"] if version == 2 else document["components"]["schemas"]
    given = schemas["ServiceInput"]
    row = given["properties"]["data"]["items"]

    assert {"data", "method"} == set(given["properties"])
    assert list(COURSE["data"][0]) == row["required"]
    assert {"type": "integer", "format": "int64"} == row["properties"]["age"]
    assert {"type": "string"} == row["properties"]["job"]
    assert {"type": "number", "format": "double"} == row["properties"]["euribor3m"]
    assert "y" not in row["properties"]
    assert {"result": ["yes"]} == schemas["ServiceOutput"]["example"]
    example = given["example"]["data"][0]
    table = bank_like().select(list(example)).rows()
    assert tuple(example.values()) not in table


@pytest.mark.parametrize("version", [2, 3])
def test_the_courses_payload_keeps_the_contract(bank, version):
    validator = Validator(parse(bank.contract(version)))

    for body in (COURSE, {"data": [{**row, "y": "no"} for row in COURSE["data"]]}):
        assert validator.check(json.dumps({**body, "method": "predict"}).encode()).valid


def test_the_contracts_example_is_scored(bank, gaps):
    for server in (bank, gaps):
        server.connection.close()
        status, reply = score(server, server.contract()["definitions"]["ServiceInput"]["example"])

        assert (200, 1) == (status, len(reply["result"]))


def test_a_value_may_be_missing_where_training_had_gaps(gaps):
    whole = {'a "b" c': 3, "🐟": "x", "since": "2012-03-11", "paid": True}
    rows = [whole, {**whole, "🐟": None}, {**whole, 'a "b" c': None}, {**whole, 'a "b" c': "NA"}]
    lacking = {name: cell for name, cell in whole.items() if name != 'a "b" c'}
    status, reply = score(gaps, {"data": [*rows, lacking, {**lacking, "y": 1.5}]})

    assert 200 == status
    assert reply["result"][2] == reply["result"][3] == reply["result"][4] == reply["result"][5]
    properties = gaps.contract(3)["components"]["schemas"]["ServiceInput"]["properties"]["data"]["items"]
    assert ["since", "paid"] == properties["required"]
    assert properties["properties"]["🐟"]["nullable"] is True
    assert {"type": "boolean"} == properties["properties"]["paid"]


@pytest.mark.parametrize(
    ("cells", "error"),
    [
        ({"since": "soon"}, 'row 1, column "since": "soon" is not a date'),
        ({'a "B" c': 3}, 'row 1: there is no column "a "b" c", but "a "B" c", which the model does not know'),
    ],
)
def test_a_wrong_date_and_a_wrong_name_are_named(gaps, cells, error):
    row = {"🐟": "x", "since": "2012-03-11", "paid": True, **cells}

    assert (400, {"error": error}) == score(gaps, {"data": [row]})


def test_a_regression_has_no_probabilities(gaps):
    row = {'a "b" c': 3, "🐟": "x", "since": "2012-03-11", "paid": "False"}

    assert 400 == score(gaps, {"data": [row], "method": "predict_proba"})[0]
    assert isinstance(score(gaps, {"data": [row]})[1]["result"][0], float)


def test_the_script_needs_numpy_and_the_server_alone():
    text = script()
    imported = set(re.findall(r"^(?:from|import) (\w+)", text, re.MULTILINE)) - sys.stdlib_module_names

    assert {"numpy", "inference_schema", "azureml_inference_server_http"} == imported
    assert "pickle.load" not in text


def test_the_conda_file_names_the_versions_that_trained():
    versions = {"python": "3.12", "numpy": "2.1.0", "scikit-learn": "1.6.1"}

    assert "numpy>=2.1.0\n" in conda(versions)
    assert "python=3.12\n" in conda(versions)
    assert "scikit-learn" not in conda(versions)
    assert "scikit-learn==1.6.1\n" in conda(versions, custom=True)


MINE = """
from sklearn.tree import DecisionTreeClassifier

class Mine(DecisionTreeClassifier):
    pass

def make():
    return Mine(max_depth=3, random_state=0)
"""


@pytest.fixture
def custom(tmp_path):
    """The directory of a user's own estimator, and its predictions for the course's rows."""
    pytest.importorskip("sklearn", reason="needs the extra train")
    import hashlib
    import pickle

    from epkit.served.custom import module_from

    source = tmp_path / "mine_of_the_test.py"
    source.write_text(MINE)
    learned = learned_from(bank_like())
    estimator = module_from(source).make().fit(learned.examples.matrix, learned.examples.y)
    contents = {"model.pkl": pickle.dumps(estimator), source.name: source.read_bytes()}
    model = CustomModel(
        module=source.name,
        make="make",
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    )
    card = card_of(learned, custom=model, files=(*contents, "score.py"))
    contents |= {"card.json": card_bytes(card), "score.py": script(custom=True).encode()}
    write(tmp_path / "model", contents, overwrite=False)
    yield tmp_path / "model", estimator, learned
    sys.modules.pop("mine_of_the_test", None)


def test_a_users_own_estimator_is_served(custom):
    scoring_server.require()
    directory, estimator, _ = custom
    server = serve(directory)
    try:
        status, reply = score(server, {**COURSE, "method": "predict_proba"})
    finally:
        server.close()

    from epkit.served.model import Model

    model = Model.load(directory)
    matrix = model.encode({name: [row[name] for row in COURSE["data"]] for name in COURSE["data"][0]})
    assert 200 == status
    assert [pytest.approx(row, abs=1e-12) for row in estimator.predict_proba(matrix).tolist()] == reply["result"]


@pytest.mark.parametrize("name", ["model.pkl", "mine_of_the_test.py"])
def test_a_pickle_that_was_changed_is_not_opened(custom, name):
    from epkit.served.model import Model

    directory, *_ = custom
    (directory / name).write_bytes((directory / name).read_bytes() + b" ")

    with pytest.raises(ValueError, match=r"not the file that card\.json names"):
        Model.load(directory)
