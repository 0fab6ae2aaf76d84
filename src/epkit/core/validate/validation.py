"""Decides whether an endpoint will accept a request body, and reports exactly what is wrong with it.

A contract leaves out some demands of its server: which top-level key is required, and that no other column is allowed.
It also forbids some things that the server accepts. So there are two readings. *As declared* is exact JSON Schema. The
default is the reading of the genuine server: it refuses or silently alters an *error*, and accepts a *warning* without
loss.

A body is first checked with one compiled schema that only a faultless body passes; such a body needs no other check.
Other bodies are examined column by column.
"""

import codecs
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from epkit.core.contract.columns import Column, RowSpec
from epkit.core.contract.compiled import SchemaSet, accepts, breaches
from epkit.core.contract.contract import ParsedContract
from epkit.core.contract.rows import all_rows
from epkit.core.contract.schemas import flatten, is_nullable
from epkit.core.contract.shown import show
from epkit.core.json.reading import JsonReading, has_long_number
from epkit.core.validate import bodies
from epkit.core.validate.cells import bounds
from epkit.core.validate.declared import Declared
from epkit.core.validate.records import check_rows
from epkit.core.validate.values import walk
from epkit.core.validate.violations import Findings, Path, Severity, Verdict, verdict
from epkit.core.validate.wrappers import missing_key_hint, not_rows_hint, unwrap_columns
from epkit.core.validate.written import PLAIN, as_named, read_written

_GIANT: Final = 2.0**63

LIMIT: Final = 100
"""Greatest number of violations that are shown by default."""


class Validator:
    """Checks request bodies against one contract."""

    def __init__(self, contract: ParsedContract, *, as_declared: bool = False) -> None:
        """Compile a contract.

        Raises:
            UsageError: one of its schemas cannot be used.
        """
        self.contract = contract
        self.as_declared = as_declared
        self.schemas = SchemaSet(contract.document)
        self.request = None if contract.request is None else flatten(contract.request, self.schemas.resolver)
        found = all_rows(contract)
        self.rows = found[0] if found else None
        self._others = {spec.path: spec for spec in found[1:]}
        cells = [] if self.rows is None else [*self.rows.columns.values(), self.rows.cell]
        self._by_schema = any(cell is not None and cell.reader != "frame" for cell in cells)
        self._declared = Declared(self.request, self.rows, self.schemas) if as_declared else None
        clean = None if as_declared else self._clean_schema()
        self._clean = None if clean is None else self.schemas.compile(clean)

    def check(self, data: bytes, *, limit: int = LIMIT) -> Verdict:
        """Check the text of a request body.

        Args:
            data: the body as it would be sent.
            limit: greatest number of violations to report; all are counted.
        """
        if self.contract.media is not None:
            return Verdict()  # the body is plain bytes, which are not decoded
        findings = Findings()
        if self._by_schema and data.startswith(codecs.BOM_UTF8):
            text = "a byte order mark before the body: many servers take it for no JSON"
            findings.add("encoding", (), text, hint="leave it out")
        body = bodies.quickly(data, findings)
        if not findings and not body.careful and body.fault is None:
            if self._is_clean(body):
                return Verdict()
            if self._needs_care(body):
                body = bodies.thoroughly(data, findings)
        if (fault := body.fault) is not None:
            findings.add("json", (), fault.text, hint=fault.hint)
            return verdict(findings, limit=limit, places=bodies.fault_place(fault))
        self._look(body.value, findings)
        return verdict(findings, limit=limit, places=bodies.body_places(body.text)) if findings else Verdict()

    def check_value(self, payload: object, *, limit: int = LIMIT) -> Verdict:
        """Check a decoded request body; its violations have no line and column."""
        findings = Findings()
        self._look(payload, findings)
        return verdict(findings, limit=limit)

    def check_some(self, rows: list[Any], numbers: list[int], findings: Findings, *, names: Sequence[str] = ()) -> None:
        """Check rows without a body around them.

        Args:
            rows: decoded JSON; the contract has rows.
            numbers: numbers of the rows, ascending.
            names: names of the cells if the rows are lists; empty if there are none.
        """
        assert self.rows is not None
        rows = as_named(rows, names, self.rows)
        if self._declared is not None:
            self._declared.check_rows(rows, numbers, findings)
        else:
            check_rows(rows, self.rows, self.rows.path, findings, self.schemas, numbers=numbers)

    def _is_clean(self, body: JsonReading) -> bool:
        if self._declared is not None:
            return self._declared.accepts(body.value) and self._unambiguous(body)
        if self._clean is None or not accepts(self._clean, body.value):
            return False
        return self._unambiguous(body) and not self._has_giants(body.value)

    def _unambiguous(self, body: JsonReading) -> bool:
        rows = self._find(body.value)
        return bodies.has_no_duplicates(body.text, bodies.count_keys(body.value, flat=rows))

    def _has_giants(self, value: Any) -> bool:
        """Tell whether a float may have been a whole number over 64 bits, in a body that passed the clean schema.

        The fast parser turns such numbers into floats, and the server refuses them. jsonschema-rs could find them too,
        but takes five times as long.
        """
        assert self.rows is not None
        rows = self._find(value) or []
        for name, column in self.rows.columns.items():
            if column.kind == "number":
                whole = name in self.rows.required
                cells = list(map(itemgetter(name), rows)) if whole else [row.get(name, 0.0) for row in rows]
                if max(cells) >= _GIANT or min(cells) <= -_GIANT:
                    return True
        return False

    def _needs_care(self, body: JsonReading) -> bool:
        return has_long_number(body.text) or not self._unambiguous(body)

    def _find(self, value: Any) -> list[Any] | None:
        """Return the rows of a body if, by the contract, every row is a flat object."""
        if self.rows is None or self.rows.form != "records":
            return None
        if any(column.kind is None for column in self.rows.columns.values()):
            return None
        for key in self.rows.path:
            value = value.get(key) if isinstance(value, dict) else None
        return value if isinstance(value, list) and set(map(type, value)) == {dict} else None

    def _look(self, value: object, findings: Findings) -> None:
        """Examine a body that the clean schema did not pass."""
        if self._declared is not None:
            self._declared.check(value, findings)
        elif self.request is None or _says_nothing(self.request):
            text = "the contract says nothing about the body: whether the server takes it cannot be known"
            findings.add("undeclared", (), text, severity="warning")
            if self.request is not None and self.request.get("type") == "object" and not isinstance(value, dict):
                findings.add("type", (), f"{show(value)} is not an object")
        elif self.rows is not None and not self.rows.path:
            self._list_of_rows(value, self.rows, findings)
        elif value is None and is_nullable(self.request):
            return
        elif "properties" in self.request and not isinstance(value, dict):
            hint = not_rows_hint(value, self.rows, ())
            findings.add("type", (), f"{show(value)} is not an object: the server takes nothing else", hint=hint)
        elif isinstance(value, dict) and "properties" in self.request:
            self._object(value, self.request, findings)
        else:
            walk(value, self.request, (), findings, self.schemas)

    def _object(self, body: dict[str, Any], schema: Mapping[str, Any], findings: Findings) -> None:
        """Check a body that is an object: its rows and its parameters."""
        head = self.rows.path[0] if self.rows else None
        properties = schema["properties"]
        missing = [name for name in properties if name not in body]
        for name in missing:
            self._missing(name, body, schema, findings, is_rows=name == head)
        self._unknown_keys(body, schema, (), findings, hinted=bool(head in missing))
        for name, value in body.items():
            if name == head:
                assert self.rows is not None
                self._wrapped(value, self.rows, findings)
            elif name in properties:
                self._parameter(name, value, properties[name], findings)
        if (residual := self.schemas.residual(schema)) is not None:
            for breach in breaches(residual, body):
                findings.add(breach.keyword, breach.path, breach.message)

    def _missing(
        self, name: str, body: dict[str, Any], schema: Mapping[str, Any], findings: Findings, *, is_rows: bool
    ) -> None:
        """Report a missing top-level key."""
        hint = missing_key_hint(name, body, self.rows if is_rows else None, schema["properties"])
        names = schema["properties"].keys()
        # If the contract has no rows, it is not known which keys a script can do without; it needs at least one.
        bare = self.rows is None and (len(names) == 1 or not body.keys() & names)
        if is_rows or bare or name in schema.get("required", ()):
            what = ", which holds the rows," if is_rows else ""
            findings.add("required", (), f'the key "{name}"{what} is missing', hint=hint, place=(name,))
        elif "required" not in schema and self._is_demanded(schema["properties"][name]):
            text = f'the parameter "{name}" is left out: the script has to have a default for it'
            findings.add("parameter", (), text, hint=hint, severity="warning", place=(name,))

    def _is_demanded(self, schema: Mapping[str, Any] | bool) -> bool:
        """Tell whether a key may be required: the contract does not say that it can be left out."""
        flat = self.schemas.flat(schema)
        types = flat.get("type")
        return not ("default" in flat or is_nullable(flat) or (isinstance(types, list) and "null" in types))

    def _unknown_keys(
        self,
        value: dict[str, Any],
        schema: Mapping[str, Any],
        path: Path,
        findings: Findings,
        *,
        hinted: bool,
    ) -> None:
        """Report keys that the contract does not name, unless the hint for a missing key already explains them."""
        extra = schema.get("additionalProperties")
        if extra is True or isinstance(extra, Mapping) or (hinted and extra is None):
            return
        for key in value:
            if key not in schema.get("properties", {}):
                severity: Severity = "error" if extra is False else "warning"
                text = f'unknown key "{key[:60]}": the server ignores it'
                findings.add("additionalProperties", (*path, key), text, severity=severity, at_key=True)

    def _parameter(self, name: str, value: object, schema: Mapping[str, Any] | bool, findings: Findings) -> None:
        before = findings.errors
        walk(value, schema, (name,), findings, self.schemas)
        example = self.contract.example
        if findings.errors == before and isinstance(example, dict) and name in example and example[name] != value:
            path, found, shown = _difference(value, example[name], (name,))
            text = f"{show(found)} is not the example's {show(shown)}: the script may refuse it"
            findings.add("parameter", path, text, severity="warning")

    def _wrapped(self, value: object, rows: RowSpec, findings: Findings) -> None:
        """Follow the keys of the rows' path from the top to the rows."""
        assert self.request is not None
        schema: Mapping[str, Any] = self.request
        for depth, key in enumerate(rows.path[1:], start=1):
            path = rows.path[:depth]
            schema = self.schemas.flat(schema["properties"][rows.path[depth - 1]])
            if not isinstance(value, dict):
                hint = not_rows_hint(value, rows, path)
                findings.add("type", path, f"{show(value)} is not an object", hint=hint)
                return
            for name, child in value.items():
                if name != key and name in schema["properties"]:
                    self._next_to(child, schema["properties"][name], (*path, name), findings)
            others = [spec.path[-1] for spec in self._others.values() if spec.path[:-1] == path]
            for name in schema.get("required", others):
                if name not in value and name != key:
                    findings.add("required", path, f'the key "{name}" is missing', place=(*path, name))
            self._unknown_keys(value, schema, path, findings, hinted=key not in value)
            if key not in value:
                hint = missing_key_hint(key, value, rows, schema["properties"])
                text = f'the key "{key}", which holds the rows, is missing'
                findings.add("required", path, text, hint=hint, place=(*path, key))
                return
            value = value[key]
        self._list_of_rows(value, rows, findings)

    def _next_to(self, value: object, schema: Mapping[str, Any] | bool, path: Path, findings: Findings) -> None:
        """Check a value next to the rows: other rows, or a parameter."""
        other = self._others.get(tuple(map(str, path)))
        if other is None:
            walk(value, schema, path, findings, self.schemas)
        elif value != [] or other.form != "records":
            self._list_of_rows(value, other, findings)

    def _list_of_rows(self, value: object, rows: RowSpec, findings: Findings) -> None:
        if rows.form not in PLAIN:
            self._written(value, rows, findings)
            return
        if rows.pandas and (turned := unwrap_columns(value, rows)) is not None:
            text = "columns where the contract has rows: the server takes them too"
            findings.add("type", rows.path, text, severity="warning")
            value = turned
        if not isinstance(value, list):
            hint = not_rows_hint(value, rows, rows.path)
            findings.add("type", rows.path, f"{show(value)} is not an array of rows", hint=hint)
        elif not value:
            findings.add("minItems", rows.path, "there are no rows")
        else:
            check_rows(value, rows, rows.path, findings, self.schemas)

    def _written(self, value: object, rows: RowSpec, findings: Findings) -> None:
        """Check rows in a form other than a list."""
        written = read_written(value, rows, findings)
        if written is None:
            return
        if not written.numbers:
            if not findings.errors:
                findings.add("minItems", rows.path, "there are no rows")
            return
        inner = Findings()
        check_rows(written.rows, written.spec, rows.path, inner, self.schemas, numbers=written.numbers)
        findings.take(inner, written.place, alone=rows.form == "row")

    def _clean_schema(self) -> dict[str, Any] | None:
        """Build the schema that only a body without any remark passes; None if no schema can decide that."""
        if self.request is None or self.rows is None or self.rows.form != "records" or not self.rows.path:
            return None
        if self._others or self._by_schema:
            return None
        if set(self.request) & {"anyOf", "oneOf", "not", "allOf", "if"} or not self.rows.closed:
            return None
        columns = {name: _clean_cell(column) for name, column in self.rows.columns.items()}
        if None in columns.values() or self.schemas.residual(self.rows.schema) is not None:
            return None
        row = _closed(columns, self.rows.required)
        inner: dict[str, Any] = {"type": "array", "minItems": 1, "items": row}
        example = self.contract.example if isinstance(self.contract.example, dict) else {}
        for depth in range(len(self.rows.path) - 1, -1, -1):
            key = self.rows.path[depth]
            properties = {key: inner}
            if depth == 0:
                for name in self.request["properties"]:
                    if name != key:
                        if name not in example:
                            return None
                        properties[name] = {"enum": [example[name]]}
            inner = _closed(properties, properties)
        return inner


def _difference(value: Any, example: Any, path: Path) -> tuple[Path, object, object]:
    """Descend into two objects along the first key with different values, down to values that are no objects."""
    while isinstance(value, dict) and isinstance(example, dict):
        key = next((key for key in example if key in value and value[key] != example[key]), None)
        if key is None:
            break
        value, example, path = value[key], example[key], (*path, key)
    return path, value, example


def _says_nothing(schema: Mapping[str, Any]) -> bool:
    """Tell whether a schema declares only the type of the whole body."""
    return not set(schema) & {
        *(
            "properties",
            "items",
            "allOf",
            "anyOf",
            "oneOf",
            "not",
            "enum",
            "const",
            "required",
            "prefixItems",
        ),
        *("patternProperties", "if", "minProperties", "pattern"),
    } and schema.get("type") in (None, "object")


def _closed(properties: Mapping[str, Any], required: Iterable[str]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _clean_cell(column: Column) -> dict[str, Any] | None:
    """Write the schema of the cells that arrive exactly as they were sent."""
    plain = {"type", "format", "description", "title", "example", "default"}
    if column.nullable or set(column.schema) - plain:
        return None
    if column.kind == "integer":
        low, high = bounds(column.format)
        return {"type": "integer", "minimum": low, "maximum": high}
    if column.kind == "number":
        return {"type": "number", "not": {"type": "integer"}}
    if column.kind == "boolean" or (column.kind == "string" and column.format is None):
        return {"type": column.kind}
    return None
