"""Messages about faults in a payload say what to change."""

import json
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epkit.core.contract.contract import parse
from epkit.core.contract.documents import decode
from epkit.core.validate.validation import Validator
from epkit.core.validate.violations import Verdict, Violation
from support.shared import shared

ROW: dict[str, Any] = {"age": 17, "job": "admin.", "rate": 1.5, "ok": True}
KINDS = {"age": "integer", "job": "string", "rate": "number", "ok": "boolean"}
ITEMS = {
    "type": "object",
    "required": list(KINDS),
    "properties": {name: {"type": kind} for name, kind in KINDS.items()},
}
DATA = {"type": "array", "items": ITEMS}
METHOD = {"type": "string"}


def validator_of(schema: dict[str, Any], version: str = "3.0.3", **options: Any) -> Validator:
    """Return a validator of a contract with the given request schema."""
    content = {"application/json": {"schema": schema}}
    post = {"requestBody": {"content": content}, "responses": {}}
    return Validator(parse({"openapi": version, "paths": {"/score": {"post": post}}}), **options)


V1_SCHEMA = {
    "type": "object",
    "properties": {"data": DATA, "method": METHOD},
    "example": {"data": [ROW], "method": "predict"},
}
V2_SCHEMA = {
    "type": "object",
    "properties": {
        "Inputs": {"type": "object", "required": ["data"], "properties": {"data": DATA}},
        "GlobalParameters": {"type": "object", "required": ["method"], "properties": {"method": METHOD}},
    },
    "example": {"Inputs": {"data": [ROW]}, "GlobalParameters": {"method": "predict"}},
}
V1, V2 = validator_of(V1_SCHEMA), validator_of(V2_SCHEMA)


def v1(*rows: Any, **more: Any) -> dict[str, Any]:
    return {"data": list(rows), "method": "predict", **more}


def without(*names: str, **more: Any) -> dict[str, Any]:
    return {name: value for name, value in ROW.items() if name not in names} | more


def first(verdict: Verdict) -> Violation:
    return verdict.violations[0]


@pytest.mark.parametrize("body", [v1(ROW), v1(ROW, ROW, ROW)])
def test_a_body_that_is_right_gets_no_remark(body: Any) -> None:
    text = json.dumps(body).encode()

    assert [Verdict(), Verdict()] == [V1.check(text), V1.check_value(body)]


@pytest.mark.parametrize(
    ("validator", "body", "pointer", "hint"),
    [
        (V1, {"Inputs": {"data": [ROW]}}, "", 'this is a v2 body, the contract is v1: write {"data": […]}'),
        (V2, {"data": [ROW]}, "", 'this is a v1 body, the contract is v2: write {"Inputs": {"data": […]}}'),
        (V2, {"inputs": {"data": [ROW]}}, "", 'there is "inputs": did you mean "Inputs"?'),
        (V2, {"Inputs": {"Data": [ROW]}}, "/Inputs", 'there is "Data": did you mean "data"?'),
        (V2, {"Inputs": [ROW]}, "/Inputs", 'the rows go inside: write {"Inputs": {"data": […]}}'),
        (V2, {"Inputs": {}}, "/Inputs", 'write {"Inputs": {"data": […]}}'),
        (
            V2,
            {"dataframe_split": {}},
            "",
            'this body is for MLflow and Databricks: this contract wants {"Inputs": {"data": […]}}',
        ),
        (V2, {"input_data": {}}, "", 'this body is for MLflow: this contract wants {"Inputs": {"data": […]}}'),
        (V1, {"instances": []}, "", 'this body is for TF Serving: this contract wants {"data": […]}'),
        (V1, ROW, "", 'this is a bare row: write {"data": [{…}]}'),
        (V1, [ROW], "", 'the rows go inside: write {"data": […]}'),
        (V1, json.dumps(v1(ROW)), "", "this is JSON inside a string: leave out the outer quotes and the backslashes"),
        (V1, {"data": json.dumps([ROW]), "method": "predict"}, "/data", "this is JSON inside a string"),
        (V1, {"data": ROW, "method": "predict"}, "/data", 'a single row goes into an array: write {"data": [{…}]}'),
        (V1, v1([1, 2]), "/data/0", "a row is an object with the column names as keys"),
        (V1, {"data": [], "method": "predict"}, "/data", None),
        (V1, {"data": None, "method": "predict"}, "/data", 'write {"data": […]}'),
        (V1, {}, "", 'write {"data": […]}'),
        (V1, 3, "", 'write {"data": […]}'),
    ],
)
def test_rows_that_are_not_where_they_belong_are_an_error_with_a_way_out(
    validator: Validator, body: Any, pointer: str, hint: str | None
) -> None:
    violation = first(validator.check(json.dumps(body).encode()))

    assert ("error", pointer) == (violation.severity, violation.pointer)
    assert (violation.hint or "").startswith(hint or "")


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([without("job")], [("error", "required", "/data/0", None)]),
        ([{**ROW, "x": 1}], [("error", "additionalProperties", "/data/0/x", None)]),
        (
            [without("job", Job="a")],
            [
                ("error", "required", "/data/0", 'there is "Job": did you mean "job"?'),
                ("error", "additionalProperties", "/data/0/Job", 'did you mean "job"?'),
            ],
        ),
        ([ROW, None], [("error", "type", "/data/1", None)]),
        ([{**ROW, "age": "17"}], [("warning", "type", "/data/0/age", None)]),
        ([{**ROW, "age": 17.0}], [("warning", "type", "/data/0/age", None)]),
        ([{**ROW, "age": 17.9}], [("error", "type", "/data/0/age", None)]),
        ([{**ROW, "age": True}], [("error", "type", "/data/0/age", None)]),
        ([{**ROW, "age": None}], [("error", "type", "/data/0/age", None)]),
        ([{**ROW, "age": "old"}], [("error", "type", "/data/0/age", None)]),
        ([{**ROW, "age": [17]}], [("error", "type", "/data/0/age", None)]),
        ([{**ROW, "age": 2**63}], [("error", "format", "/data/0/age", None)]),
        ([{**ROW, "age": 10**30}], [("error", "format", "/data/0/age", None)]),
        ([{**ROW, "age": 1e30}], [("error", "format", "/data/0/age", None)]),
        ([{**ROW, "age": "9" * 25}], [("error", "format", "/data/0/age", None)]),
        ([{**ROW, "age": float("inf")}], [("error", "type", "/data/0/age", None)]),
        ([{**ROW, "rate": 1}], [("warning", "type", "/data/0/rate", None)]),
        ([{**ROW, "rate": "1e3"}], [("warning", "type", "/data/0/rate", None)]),
        ([{**ROW, "rate": None}], [("error", "type", "/data/0/rate", None)]),
        ([{**ROW, "rate": False}], [("error", "type", "/data/0/rate", None)]),
        ([{**ROW, "rate": "x"}], [("error", "type", "/data/0/rate", None)]),
        ([{**ROW, "job": 3}], [("warning", "type", "/data/0/job", None)]),
        ([{**ROW, "job": None}], [("warning", "type", "/data/0/job", None)]),
        ([{**ROW, "job": {}}], [("error", "type", "/data/0/job", None)]),
        ([{**ROW, "job": 10**30}], [("error", "format", "/data/0/job", None)]),
        ([{**ROW, "ok": 1}], [("warning", "type", "/data/0/ok", None)]),
        ([{**ROW, "ok": "true"}], [("error", "type", "/data/0/ok", None)]),
        ([{**ROW, "ok": ""}], [("error", "type", "/data/0/ok", None)]),
    ],
)
def test_a_row_is_judged_as_the_server_takes_it(rows: list[Any], expected: list[Any]) -> None:
    verdicts = [V1.check(json.dumps(v1(*rows)).encode())]
    said = [[(v.severity, v.rule, v.pointer, v.hint) for v in verdict.violations] for verdict in verdicts]

    assert [expected] == said


@pytest.mark.parametrize(
    ("body", "rule", "pointer"),
    [
        (v1(ROW, methud="predict"), "additionalProperties", "/methud"),
        (v1(ROW, method="nope"), "parameter", "/method"),
        ({"data": [ROW]}, "parameter", ""),
    ],
)
def test_what_surrounds_the_rows_is_a_warning(body: Any, rule: str, pointer: str) -> None:
    verdict = V1.check(json.dumps(body).encode())

    assert [("warning", rule, pointer)] == [(v.severity, v.rule, v.pointer) for v in verdict.violations]
    assert verdict.valid
    assert not verdict.strict().valid


@pytest.mark.parametrize("parameters", [None, {}, "predict", {"method": 1}, {"method": None}])
def test_a_parameter_of_another_type_is_an_error(parameters: Any) -> None:
    verdict = V2.check_value({"Inputs": {"data": [ROW]}, "GlobalParameters": parameters})

    assert not verdict.valid
    assert first(verdict).pointer.startswith("/GlobalParameters")


def test_columns_instead_of_rows_are_taken_where_pandas_is_known_to_read_them() -> None:
    columns = {name: [value, value] for name, value in ROW.items()}
    pandas = {"type": "object", "properties": {"data": {**DATA, "format": "pandas.DataFrame:records"}}}
    unknown = {"type": "object", "properties": {"data": DATA}}
    verdicts = [validator_of(schema).check_value({"data": columns}) for schema in (pandas, unknown)]

    assert ["warning", "error"] == [first(verdict).severity for verdict in verdicts]
    assert 'these are columns: give rows, {"data": [{…}, …]}' == first(verdicts[1]).hint


def test_the_same_fault_in_many_rows_is_told_once() -> None:
    rows = [{**ROW, "age": "old" if n >= 3 else 1} for n in range(10_000)]
    verdict = V1.check(json.dumps(v1(*rows), indent=1).encode())
    violation = first(verdict)

    assert (9_997, 1) == (verdict.errors, len(verdict.violations))
    assert (3, 9_997, (3, 4, 5, 6, 7)) == (violation.row, violation.rows, violation.first_rows)
    assert (22, 11) == (violation.line, violation.column)


def test_no_more_are_told_than_asked_for_but_all_are_counted() -> None:
    body = v1({name: [] for name in ROW})
    verdict = V1.check(json.dumps(body).encode(), limit=2)

    assert (2, 4, 4) == (len(verdict.violations), verdict.errors, verdict.kinds)


def test_errors_come_before_warnings() -> None:
    verdict = V1.check_value(v1({**ROW, "age": "17", "rate": None}))

    assert ["error", "warning"] == [v.severity for v in verdict.violations]


@pytest.mark.parametrize(
    ("cell", "bad"),
    [
        ({"type": "integer", "format": "int32"}, 2**31),
        ({"type": "integer", "format": "uint8"}, -1),
        ({"type": "integer", "minimum": 18}, 17),
        ({"type": "string", "enum": ["a"]}, "b"),
        ({"type": "string", "pattern": "^a"}, "b"),
        ({"type": "string", "format": "date-time"}, "yesterday"),
        ({"type": "string", "format": "date-time"}, "1500-01-01"),
        ({"type": "string", "format": "date-time"}, 20200101),
        ({"type": "string", "format": "byte"}, "a"),
        ({"type": "string", "format": "timedelta"}, "long"),
        ({"type": "array", "items": {"type": "number"}}, ["a"]),
        ({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}, {}),
        ({"type": "object", "properties": {}, "additionalProperties": False}, {"a": 1}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": "x"}),
        ({"anyOf": [{"type": "string"}, {"type": "boolean"}]}, 3),
        ({"allOf": [{"type": "string"}, {"maxLength": 1}]}, "ab"),
    ],
)
def test_what_a_contract_declares_beyond_types_is_an_error(cell: dict[str, Any], bad: Any) -> None:
    items = {"type": "object", "properties": {"x": cell}}
    verdict = validator_of({"type": "object", "properties": {"data": {"type": "array", "items": items}}}).check(
        json.dumps({"data": [{"x": bad}]}).encode()
    )

    assert ["error"] == [v.severity for v in verdict.violations]
    assert first(verdict).pointer.startswith("/data/0/x")


@pytest.mark.parametrize(
    ("cell", "value", "severity"),
    [
        ({"type": "integer", "nullable": True}, None, None),
        ({"type": "string", "enum": ["a"], "nullable": True}, "a", None),
        ({"type": "string", "format": "date-time"}, "2020-01-01T10:00:00", None),
        ({"type": "string", "format": "date-time"}, "2020-01-01", None),
        ({"type": "string", "format": "date-time"}, "2020-01-01T10:00:00Z", "warning"),
        ({"type": "string", "format": "date-time"}, "1/31/2020 10:00:00", "warning"),
        ({"type": "string", "format": "date"}, "today", "warning"),
        ({"type": "string", "format": "date"}, "2020-01-31", None),
        ({"type": "string", "format": "byte"}, "YWJj", None),
        ({}, {"any": ["thing"]}, None),
    ],
)
def test_what_a_contract_allows_is_no_error(cell: dict[str, Any], value: Any, severity: str | None) -> None:
    items = {"type": "object", "properties": {"x": cell}}
    validator = validator_of({"type": "object", "properties": {"data": {"type": "array", "items": items}}})
    verdict = validator.check(json.dumps({"data": [{"x": value}]}).encode())

    assert [severity] * (severity is not None) == [v.severity for v in verdict.violations]


def test_optional_and_free_columns_are_the_contracts_to_allow() -> None:
    items = {**ITEMS, "required": ["age"], "additionalProperties": True}
    validator = validator_of({"type": "object", "properties": {"data": {"type": "array", "items": items}}})
    verdict = validator.check_value({"data": [{"age": 1, "more": 2}]})

    assert [("warning", "additionalProperties")] == [(v.severity, v.rule) for v in verdict.violations]


def test_columns_are_found_in_parts_of_a_row() -> None:
    base = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    items = {"allOf": [base, {"properties": {"b": {"type": "string"}}, "required": ["b"]}]}
    validator = validator_of({"type": "object", "properties": {"data": {"type": "array", "items": items}}})
    verdict = validator.check_value({"data": [{"a": "x", "c": 1}]})

    assert ["required", "additionalProperties", "type"] == [v.rule for v in verdict.violations]


@pytest.mark.parametrize("schema", [{}, {"type": "object"}])
def test_a_contract_that_says_nothing_is_said_to(schema: dict[str, Any]) -> None:
    verdict = validator_of(schema).check(b'{"anything": 1}')

    assert [("warning", "undeclared")] == [(v.severity, v.rule) for v in verdict.violations]


def test_a_body_without_rows_is_checked_too() -> None:
    schema = {"type": "object", "properties": {"question": {"type": "string"}, "history": {"type": "array"}}}
    validator = validator_of(schema)
    verdicts = [validator.check(text) for text in (b'{"question": "?", "history": []}', b'{"question": 3}', b"{}")]

    assert [(0, 0), (1, 1), (2, 0)] == [(verdict.errors, verdict.warnings) for verdict in verdicts]


def test_rows_may_be_the_body_itself() -> None:
    validator = validator_of(DATA)
    verdicts = [validator.check_value(body) for body in ([ROW], [without("age")], [], {"data": [ROW]})]

    assert [0, 1, 1, 1] == [verdict.errors for verdict in verdicts]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1, 2], [3, 4]], []),
        ([[1, 2, 3]], [("error", "shape")]),
        ([[1, 2], [3]], [("error", "shape")]),
        ([["17", 2]], [("warning", "type")]),
        ([[1.5, 2]], [("error", "type")]),
        ([[None, 2]], [("error", "type")]),
        ([{"a": 1}], [("error", "type")]),
        ([1, 2], [("error", "type")]),
    ],
)
def test_rows_without_names_are_checked_by_position(rows: Any, expected: list[tuple[str, str]]) -> None:
    data = {"type": "array", "format": "numpy.ndarray", "items": {"type": "array", "items": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"data": data}, "example": {"data": [[1, 2]]}}
    verdict = validator_of(schema).check(json.dumps({"data": rows}).encode())

    assert expected == [(v.severity, v.rule) for v in verdict.violations]


def test_places_are_those_of_the_text() -> None:
    row = b'  {"age": 1, "job": "\xc3\xa9", "rate": "x", "ok": true, "z": 1}'
    text = b'\xef\xbb\xbf{"method": "predict",\n "data": [\n' + row + b"\n]}"
    verdict = V1.check(text)
    places = {v.pointer: (v.line, v.column) for v in verdict.violations}

    assert {"/data/0/rate": (3, 34), "/data/0/z": (3, 51)} == places


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text("ab"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KINDS, "data", "method", "z"]), inner)
    ),
    max_leaves=15,
)


@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
@given(value=JSON)
def test_as_declared_is_json_schema_to_the_letter(version: str, value: Any) -> None:
    reference = {"3.0.3": jsonschema.Draft4Validator, "3.1.0": jsonschema.Draft202012Validator}[version]
    errors = list(reference(V1_SCHEMA).iter_errors(value))
    verdict = validator_of(V1_SCHEMA, version, as_declared=True).check_value(value, limit=1000)

    assert len(errors) == verdict.errors


def test_the_corpus_examples_and_payloads_get_the_verdicts_that_are_known() -> None:
    known = {
        "ok-v1-bank": {"v1"},
        "ok-v2-bank-GlobalParameters": {"v2"},
        "ok-v2-bank-noGlobalParameters": {"v2"},
        "bad-v1-numbers-as-strings": {"v1"},
        "bad-v2-Inputs-is-list": set(),
        "other-numpy2d": {"numpy2d"},
        "other-promptflow": set(),
    }
    files = {"v1": "04-v1-data-method", "v2": "14-gen-v2-classification.openapi3", "numpy2d": "20-gen-numpy2d.openapi3"}
    found: dict[str, set[str]] = {}
    for payload in known:
        found[payload] = set()
        for name, file in files.items():
            path = shared(f"data/swagger/{file}.json")
            validator = Validator(parse(decode(path.read_bytes(), name=file)))
            if validator.check(shared(f"data/payloads/{payload}.json").read_bytes()).valid:
                found[payload].add(name)

    assert known == found


def test_many_kinds_of_violation_are_counted_and_only_the_first_are_kept() -> None:
    rows = [{**ROW, f"x{n}": 1} for n in range(1_500)]
    verdict = V1.check_value(v1(*rows), limit=2_000)

    assert (1_500, 1_001) == (verdict.errors, verdict.kinds)
    assert "unknown columns, more than 1,000 of them" == verdict.violations[0].message
    assert 500 == verdict.violations[0].rows


def test_kinds_beyond_all_bounds_are_counted_each_as_one_of_its_own() -> None:
    body = v1(ROW) | {f"x{n}": 1 for n in range(12_000)}
    verdict = V1.check_value(body, limit=3)

    assert (0, 12_000, 12_000, 3) == (verdict.errors, verdict.warnings, verdict.kinds, len(verdict.violations))


def test_rows_that_break_the_contract_to_the_letter_are_looked_at_up_to_a_bound(monkeypatch: Any) -> None:
    from epkit.core.validate import declared as module

    declared = validator_of(V1_SCHEMA, as_declared=True)
    rows = [{**ROW, "age": "old"}] * 50
    whole = declared.check_value(v1(*rows))
    monkeypatch.setattr(module, "MAX_BREACHES", 100)
    bounded = declared.check_value(v1(*rows))

    assert [("type", 50)] == [(v.rule, v.rows) for v in whole.violations]
    assert [("type", 8), ("limit", 1)] == [(v.rule, v.rows) for v in bounded.violations]


def test_as_declared_a_number_that_json_does_not_have_is_named() -> None:
    verdict = validator_of(V1_SCHEMA, as_declared=True).check_value(v1({**ROW, "rate": float("nan")}))

    assert ["NaN is not of type number"] == [v.message for v in verdict.violations]
