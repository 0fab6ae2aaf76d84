"""Makes request bodies from a contract: the example's rows, then rows varied within type, enum, range and format."""

import base64
import math
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from epkit.core.contract.columns import RowSpec
from epkit.core.contract.compiled import SchemaSet, accepts
from epkit.core.contract.contract import ParsedContract
from epkit.core.contract.rows import rows_of
from epkit.core.contract.schemas import flatten
from epkit.core.contract.shown import show
from epkit.core.json.reading import loads
from epkit.core.json.writing import dumps_payload, dumps_row
from epkit.core.shapes.envelopes import Envelope, from_wrap, of_body
from epkit.core.validate.cells import bounds
from epkit.core.validate.written import PLAIN, as_named
from epkit.errors import UsageError

_DEEPEST: Final = 12
_TRIES: Final = 20
_MAX_VALUES: Final = 300_000
"""Greatest number of values that are made for one row: nested schemas multiply them."""

_VAIN: Final = 100
"""The number of values that a failed try counts as."""
_EPOCH: Final = datetime(2020, 1, 1)  # noqa: DTZ001  (contracts of pandas frames have no zones)


def sample(contract: ParsedContract, *, rows: int | None = None, seed: int = 0) -> Any:
    """Make a request body.

    Args:
        rows: number of rows, ≥ 1; by default that of the contract's example.
        seed: the same seed gives the same body.

    Returns:
        The decoded body; everything except the rows comes from the example.

    Raises:
        UsageError: the contract does not describe enough to make a body, or has no rows.
    """
    return Sampler(contract, seed=seed).body(rows)


def sample_body(contract: ParsedContract, *, rows: int | None, seed: int, wrap: str | None = None) -> bytes:
    """Make a request body as `sample` does, and return it as the bytes to send.

    Args:
        wrap: the wrapping of the rows, a value of `--wrap`; None for the contract's own.

    Raises:
        UsageError: as in `sample`.
    """
    if wrap is None:
        return dumps_payload(sample(contract, rows=rows, seed=seed))
    return Sampler(contract, seed=seed).wrapped(rows, from_wrap(wrap))


class Sampler:
    """Makes bodies of one contract, each different from the one before it."""

    def __init__(self, contract: ParsedContract, *, seed: int = 0) -> None:
        self._contract = contract
        self._schemas = SchemaSet(contract.document)
        self._random = Random(f"epkit {seed}")  # noqa: S311  (the same seed must give the same bytes)
        self._request = None if contract.request is None else flatten(contract.request, self._schemas.resolver)
        self.rows: RowSpec | None = rows_of(contract)
        self._given = self._example_rows()
        self._left = _MAX_VALUES

    def body(self, count: int | None = None) -> Any:
        """Make a body of *count* rows."""
        if self._request is None:
            raise UsageError("the contract describes no request body: there is nothing to make one of")
        if self.rows is None:
            if count is not None and count != 1:
                raise UsageError("the contract says nothing about rows: no number of them can be made")
            example = self._contract.example
            return self._value(self._request, None, 0) if example is None else _copy(example)
        count = max(len(self._given), 1) if count is None else count
        if self.rows.form == "row" and count != 1:
            raise UsageError("a body is one row: the contract has no list of rows; send each by itself")
        made = self.make_rows(count)
        example = self._contract.example
        if self.rows.form not in PLAIN:
            return self._written(self.rows, made)
        if not self.rows.path:
            return made
        body = _copy(example) if isinstance(example, dict) else self._value(self._request, None, 0)
        return _with(body, self.rows.path, made)

    def wrapped(self, count: int | None, envelope: Envelope) -> bytes:
        """Write *count* rows in an envelope that is not the contract's.

        Raises:
            UsageError: the contract has no rows, or the envelope cannot hold them.
        """
        if self.rows is None:
            raise UsageError("--wrap: the contract says nothing about rows: there is nothing to wrap")
        if envelope.form == "table":
            raise UsageError("--wrap: a table has a schema, which only a contract that wants one has an example of")
        count = count or envelope.most_rows or max(len(self._given), 1)
        if count > (envelope.most_rows or count):
            raise UsageError(f"--wrap: a body holds one row, and {count} are asked for")
        rows = self.make_rows(count)
        names = tuple(map(str, rows[0] if isinstance(rows[0], dict) else range(len(rows[0]))))
        if envelope.form == "values" and len(names) > 1:
            raise UsageError(f"--wrap: the body holds one value a row, and a row of the contract has {len(names)}")
        return _enveloped(replace(envelope, names=names), rows)

    def _written(self, spec: RowSpec, rows: list[Any]) -> Any:
        """Write rows in a form other than a list of rows."""
        if spec.form == "table" and not isinstance(self._contract.example, dict):
            raise UsageError("the contract has no example: the table's schema that it expects is unknown")
        return loads(_enveloped(spec.envelope(self._contract.example), rows))

    def make_rows(self, count: int) -> list[Any]:
        """Make *count* rows: first those of the example, then varied ones."""
        assert self.rows is not None
        rows = [_copy(row) for row in self._given[:count]]
        while len(rows) < count:
            model = self._given[len(rows) % len(self._given)] if self._given else None
            self._left = _MAX_VALUES
            rows.append(self._row(model))
        return rows

    def _row(self, model: Any) -> Any:
        assert self.rows is not None
        for _ in range(_TRIES):
            if self.rows.shape == "records":
                known = model if isinstance(model, dict) else {}
                row: Any = {
                    name: self._value(column.schema, known.get(name), 0) for name, column in self.rows.columns.items()
                }
            else:
                assert self.rows.cell is not None
                width = self.rows.width or 1
                if width > _MAX_VALUES:
                    raise UsageError(f"a row has {width:,} values: too many to make up")
                known_cells = model if isinstance(model, list) else [None] * width
                cells = self.rows.cells or [self.rows.cell] * len(known_cells)
                row = [self._value(of.schema, cell, 0) for of, cell in zip(cells, known_cells, strict=False)]
            residual = self._schemas.residual(self.rows.schema)
            if residual is None or accepts(residual, row):
                return row
        return _copy(model) if model is not None else row

    def _example_rows(self) -> list[Any]:
        spec, example = self.rows, self._contract.example
        if spec is None:
            return []
        if spec.form == "row":
            return [example] if isinstance(example, dict) and example.keys() >= set(spec.required) else []
        place_and_rows = of_body(example, spec.path)
        if place_and_rows is None or place_and_rows[0].form != spec.form or place_and_rows[0].path != spec.path:
            return []
        envelope, found = place_and_rows
        wanted = dict if spec.shape == "records" else list
        rows = [row for row in as_named(found.rows(), envelope.names or (), spec) if isinstance(row, wanted)]
        if spec.form == "table":
            return [{name: row[name] for name in row if name in spec.columns} for row in rows]
        return rows

    def _value(self, declared: Mapping[str, Any] | bool, model: Any, depth: int) -> Any:
        """Make a value of a schema; *model* is the example's value, which is used if none can be made."""
        self._left -= 1
        if self._left < 0:
            raise UsageError(
                "the contract's schemas are too strict or too large: no row could be made that satisfies all of them"
            )
        schema = self._schemas.flat(declared)
        residual = self._schemas.residual(schema)
        for _ in range(_TRIES):
            value = self._guess(schema, model, depth)
            if residual is None or accepts(residual, value):
                return value
            self._left -= _VAIN
        return _copy(model) if model is not None else value

    def _guess(self, schema: Mapping[str, Any], model: Any, depth: int) -> Any:
        if "const" in schema:
            return schema["const"]
        if schema.get("enum"):
            return self._random.choice(schema["enum"])
        for keyword in ("anyOf", "oneOf"):
            if schema.get(keyword) and depth < _DEEPEST:
                return self._value(self._random.choice(schema[keyword]), model, depth + 1)
        types = schema.get("type")
        kinds = [kind for kind in (types if isinstance(types, list) else [types]) if kind != "null"]
        match kinds[0] if kinds else "null":
            case "integer":
                return self._integer(schema)
            case "number":
                return self._number(schema)
            case "boolean":
                return self._random.random() < 0.5
            case "string":
                return self._string(schema, model)
            case "array":
                return self._array(schema, model, depth)
            case "object" | None if "properties" in schema or kinds[0] == "object":
                return self._object(schema, model, depth)
        return _copy(model)

    def _integer(self, schema: Mapping[str, Any]) -> int:
        low, high = bounds(schema.get("format"))
        least, greatest = _limits(schema, max(low, 0), min(high, 100))
        step = schema.get("multipleOf", 1)
        step = step if isinstance(step, int) else 1
        first, last = -(-math.ceil(least) // step), math.floor(greatest) // step
        return self._random.randint(first, max(first, last)) * step

    def _number(self, schema: Mapping[str, Any]) -> float:
        low, high = _limits(schema, 0, 100)
        if "multipleOf" in schema:
            step = schema["multipleOf"]
            first = math.ceil(low / step)
            return float(self._random.randint(first, max(first, math.floor(high / step))) * step)
        value = round(self._random.uniform(low, high), 3)
        return float(value if low <= value <= high else low)

    def _string(self, schema: Mapping[str, Any], model: Any) -> str:
        moment = _EPOCH + timedelta(hours=self._random.randrange(24 * 365))
        match schema.get("format"):
            case "date-time":
                return moment.strftime("%Y-%m-%dT%H:%M:%S.000")
            case "date":
                return moment.strftime("%Y-%m-%d")
            case "time":
                return moment.strftime("%H:%M:%S")
            case "timedelta":
                return f"P{self._random.randrange(1, 30)}DT0H0M0S"
            case "byte" | "binary":
                return base64.b64encode(self._random.randbytes(12)).decode("ascii")
            case "uuid":
                digits = f"{self._random.getrandbits(128):032x}"
                return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
        if "pattern" in schema:
            if not isinstance(model, str):
                pattern = show(schema["pattern"])
                raise UsageError(f"the contract has a pattern, {pattern}, and no example of it: no text can be made")
            return model
        text = f"{model if isinstance(model, str) else 'value'}_{self._random.randrange(10)}"
        text = text.ljust(min(schema.get("minLength", 0), 10_000), "x")
        return text[: schema.get("maxLength")]

    def _array(self, schema: Mapping[str, Any], model: Any, depth: int) -> list[Any]:
        given = model if isinstance(model, list) else []
        count = len(given) or 1
        count = max(min(count, schema.get("maxItems", count)), min(schema.get("minItems", 0), 1_000))
        if depth >= _DEEPEST or not isinstance(schema.get("items"), Mapping):
            return [_copy(value) for value in given]
        models = (given + given[-1:] * count if given else [None] * count)[:count]
        return [self._value(schema["items"], one, depth + 1) for one in models]

    def _object(self, schema: Mapping[str, Any], model: Any, depth: int) -> dict[str, Any]:
        given = model if isinstance(model, dict) else {}
        if depth >= _DEEPEST:
            return _copy(given) if given else {}
        properties = schema.get("properties", {})
        required = schema.get("required", ())
        # At great depth only the required keys are made; otherwise a schema that refers to itself would never end.
        names = [name for name in properties if depth < _DEEPEST // 3 or name in required]
        return {name: self._value(properties[name], given.get(name), depth + 1) for name in names}


def _enveloped(envelope: Envelope, rows: list[Any]) -> bytes:
    if envelope.wants_lists:
        rows = [list(row.values()) if isinstance(row, dict) else row for row in rows]
    elif envelope.names:
        rows = [row if isinstance(row, dict) else dict(zip(envelope.names, row, strict=True)) for row in rows]
    before, after = envelope.around()
    return before + envelope.writer.write([dumps_row(row) for row in rows]) + after


def _limits(schema: Mapping[str, Any], low: float, high: float) -> tuple[float, float]:
    """Return the range from *low* to *high*, moved to where minimum and maximum of the schema allow it."""
    width = high - low
    least, greatest = schema.get("minimum"), schema.get("maximum")
    margin = 1 if schema.get("type") == "integer" else 1e-3
    for keyword, sign in (("exclusiveMinimum", 1), ("exclusiveMaximum", -1)):
        bound = schema.get(keyword)
        if bound is True:
            bound = least if sign > 0 else greatest
        if isinstance(bound, int | float) and not isinstance(bound, bool):
            if sign > 0:
                least = bound + margin
            else:
                greatest = bound - margin
    if least is not None and greatest is not None:
        return least, max(least, greatest)
    if least is not None:
        return max(low, least), max(high, least + width)
    if greatest is not None:
        return min(low, greatest - width), min(high, greatest)
    return low, high


def _with(body: Any, path: tuple[str, ...], rows: list[Any]) -> Any:
    """Put rows at their place in a body; a contract may declare this place as a number and still give it properties."""
    body = body if isinstance(body, dict) else {}
    holder = body
    for key in path[:-1]:
        if not isinstance(holder.get(key), dict):
            holder[key] = {}
        holder = holder[key]
    holder[path[-1]] = rows
    return body


def _copy(value: Any) -> Any:
    """Copy a decoded value; an example is no deeper than the contract that contains it."""
    if isinstance(value, dict):
        return {key: _copy(child) for key, child in value.items()}
    return [_copy(child) for child in value] if isinstance(value, list) else value
