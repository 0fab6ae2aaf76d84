"""Test data for a candidate before it gets traffic: rows with known answers, and right and wrong payloads."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, cycle, islice
from itertools import count as counting
from typing import Any, Final

from epkit.core.contract.columns import RowSpec
from epkit.core.json.writing import dumps_payload
from epkit.core.report.wording import plural
from epkit.core.shortening import cut

GOLDEN_FORMAT: Final = "epkit.golden-rows/1"
"""`format` of the file with golden rows."""

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "number": ("integer", "number"),
    "category": ("string", "boolean"),
    "date": ("string",),
}
"""Types that a contract may declare for a column of the card, by the kind of the column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenRows:
    """Rows, and the answers of the trained model.

    Args:
        rows: in the form of a request.
        answers: the class or the number of each row.
        probabilities: rows × classes, in the order of the card; None for a regression.
    """

    rows: tuple[Mapping[str, Any], ...]
    answers: tuple[Any, ...]
    probabilities: tuple[tuple[float, ...], ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvingPayload:
    """A request body, and a name for what was changed in it."""

    name: str
    body: bytes


def to_plain(golden: GoldenRows) -> dict[str, Any]:
    """Return golden rows as plain JSON values."""
    return {
        "format": GOLDEN_FORMAT,
        "rows": [dict(row) for row in golden.rows],
        "answers": list(golden.answers),
        "probabilities": None if golden.probabilities is None else [list(row) for row in golden.probabilities],
    }


def from_plain(document: object) -> GoldenRows:
    """Read golden rows from plain JSON values.

    Raises:
        ValueError: they are not golden rows.
    """
    try:
        assert isinstance(document, dict)
        assert document["format"] == GOLDEN_FORMAT
        rows, answers, chances = (document[name] for name in ("rows", "answers", "probabilities"))
        assert all(isinstance(row, dict) for row in rows)
        assert len(rows) == len(answers) == (len(rows) if chances is None else len(chances))
        found = None if chances is None else tuple(tuple(float(value) for value in row) for row in chances)
    except (AssertionError, KeyError, TypeError, ValueError):
        raise ValueError("these are no golden rows") from None
    return GoldenRows(rows=tuple(rows), answers=tuple(answers), probabilities=found)


def column_fault(columns: Sequence[Mapping[str, Any]], rows: RowSpec | None) -> str | None:
    """Return the first difference between the columns of a contract and those of a card; None if there is none.

    Args:
        columns: of the card.
        rows: of the contract.
    """
    if rows is None or rows.form != "records":
        return "the contract declares no rows with named columns"
    named = [str(column["name"]) for column in columns]
    if lacking := [name for name in named if name not in rows.columns]:
        return f'the contract lacks the column "{cut(lacking[0], 60)}", which the model was trained on'
    if strange := [name for name in rows.columns if name not in named]:
        return f'the contract has the column "{cut(strange[0], 60)}", which the model was not trained on'
    for column in columns:
        declared, kinds = rows.columns[column["name"]].kind, KINDS[column["kind"]]
        if declared not in kinds:
            found = declared or "no single value"
            return f'the contract declares the column "{cut(column["name"], 60)}" as {found}, not as {kinds[0]}'
    return None


def wrong_answer(expected: Sequence[Any], found: object, tolerance: float) -> str | None:
    """Return a description of the first wrong answer; None if all answers are right.

    Args:
        expected: one answer for each row: a class, a number, or the probabilities of the classes.
        found: the answers of the endpoint.
        tolerance: for numbers: relative to the larger one, and absolute below 1.
    """
    if not isinstance(found, list) or len(found) != len(expected):
        count = f"{len(found)} answers" if isinstance(found, list) else "no list of answers"
        return f"{count} for {len(expected)} rows"
    for place, (wanted, observed) in enumerate(zip(expected, found, strict=True), start=1):
        if not _equal(wanted, observed, tolerance):
            return f"row {place}: {_shown(observed)} where the training has {_shown(wanted)}"
    return None


def _equal(wanted: Any, observed: Any, tolerance: float) -> bool:
    if isinstance(wanted, list | tuple):
        return (
            isinstance(observed, list)
            and len(observed) == len(wanted)
            and all(_equal(one, other, tolerance) for one, other in zip(wanted, observed, strict=True))
        )
    if isinstance(wanted, bool) or isinstance(observed, bool) or not isinstance(wanted, int | float):
        return type(wanted) is type(observed) and bool(wanted == observed)
    return isinstance(observed, int | float) and math.isclose(wanted, observed, rel_tol=tolerance, abs_tol=tolerance)


def _shown(value: Any) -> str:
    return cut(json.dumps(value, ensure_ascii=False, default=str), 80)


def body_of(example: Any, path: Sequence[str], rows: Any, parameters: Mapping[str, Any] | None = None) -> Any:
    """Put rows into a body that is like the contract's example.

    Args:
        path: keys that lead to the rows; empty if the rows are the whole body.
        parameters: top-level keys whose values differ from the example.
    """
    if not path:
        return rows
    body: dict[str, Any] = {**(example if isinstance(example, dict) else {}), **(parameters or {})}
    holder = body
    for key in path[:-1]:
        inner = holder.get(key)
        holder[key] = dict(inner) if isinstance(inner, dict) else {}
        holder = holder[key]
    holder[path[-1]] = rows
    return body


def asks_probabilities(properties: Mapping[str, Any], example: Any) -> Mapping[str, Any] | None:
    """Return the top-level keys of a body that asks for probabilities; None if the contract has no such keys.

    Args:
        properties: properties of a body.
    """
    if "method" in properties:
        return {"method": "predict_proba"}
    inner = properties.get("GlobalParameters", {})
    if isinstance(inner, Mapping) and "method" in (inner.get("properties") or {}):
        given = example.get("GlobalParameters") if isinstance(example, dict) else None
        return {"GlobalParameters": {**(given if isinstance(given, dict) else {}), "method": "predict_proba"}}
    return None


def payloads(example: Any, spec: RowSpec, golden: GoldenRows, count: int) -> tuple[ProvingPayload, ...]:
    """Make bodies from golden rows: some are right, the others have one mistake that every server must refuse.

    Args:
        example: of the contract.
        spec: rows of the contract; they are records.
        count: number of bodies, ≥ 0.
    """
    rows = [dict(row) for row in golden.rows]
    if not rows:
        return ()
    pairs = zip(_good(example, spec, rows), cycle(_bad(example, spec, rows)), strict=False)
    return tuple(islice(chain.from_iterable(pairs), count))


def _good(example: Any, spec: RowSpec, rows: list[dict[str, Any]]) -> Iterator[ProvingPayload]:
    """Yield right bodies without end: one row, two rows, all rows, and another order of columns."""
    for number in counting():
        some = (
            [rows[number % len(rows)]],
            [rows[number % len(rows)], rows[(number + 1) % len(rows)]],
            rows,
            [dict(reversed(list(row.items()))) for row in rows],
        )[number % 4]
        yield _made(plural(len(some), "golden row"), body_of(example, spec.path, some))


def _bad(example: Any, spec: RowSpec, rows: list[dict[str, Any]]) -> Iterator[ProvingPayload]:
    """Yield bodies with one mistake that does not depend on the script."""
    whole = body_of(example, spec.path, rows[:1])
    text = dumps_payload(whole)

    def with_row(name: str, row: Any) -> ProvingPayload:
        return _made(name, body_of(example, spec.path, [rows[0], row]))

    first = next(iter(spec.columns))
    yield with_row(f'a list in "{first}"', {**rows[0], first: [1]})
    yield ProvingPayload(name="the text cut off", body=text[:-3])
    for number in islice((name for name, column in spec.columns.items() if column.kind in KINDS["number"]), 1):
        yield with_row(f'a word in "{number}"', {**rows[0], number: "no number"})
    for required in spec.required[:1]:
        without = {name: cell for name, cell in rows[0].items() if name != required}
        yield with_row(f'without "{required}"', without)
        yield with_row(f'"{required}" misspelt', {**without, f"{required}_x": rows[0].get(required)})
    yield with_row("a row that is a number", 1)
    if spec.path:
        yield _made("rows that are a text", body_of(example, spec.path, "rows"))
        yield _made("without the rows", {})
        yield _made("a list in place of the object", [whole])
    yield with_row(f'an object in "{first}"', {**rows[0], first: {"a": 1}})
    yield ProvingPayload(name="single quotes", body=text.replace(b'"', b"'"))
    yield ProvingPayload(name="nothing", body=b"")


def _made(name: str, body: Any) -> ProvingPayload:
    return ProvingPayload(name=cut(name, 80), body=dumps_payload(body))
