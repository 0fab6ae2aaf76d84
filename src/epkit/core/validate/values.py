"""Checks a value that is not converted (a parameter, a nested cell) against its schema, level by level."""

from collections.abc import Mapping
from typing import Any

from epkit.core.contract.compiled import SchemaSet, breaches
from epkit.core.contract.schemas import is_nullable
from epkit.core.contract.shown import show
from epkit.core.shortening import cut
from epkit.core.validate.cells import Remark, exact
from epkit.core.validate.violations import Findings, Path, Place, did_you_mean


def walk(
    value: object,
    schema: Mapping[str, Any] | bool,
    path: Path,
    findings: Findings,
    schemas: SchemaSet,
    *,
    row: int | None = None,
    place: Place | None = None,
) -> None:
    """Check a value and everything in it. The walk is a loop, so that no value or schema is too deep.

    Args:
        row: number of the row that contains the value.
        place: violations of one rule with the same place are one violation; the path by default.
    """
    rows = () if row is None else (row,)
    start = len(path)
    pending: list[tuple[object, Mapping[str, Any] | bool, Path]] = [(value, schema, path)]
    while pending:
        value, declared, path = pending.pop()
        resolved = schemas.flat(declared)
        inner = (None if isinstance(step, int) else step for step in path[start:])
        where = None if place is None else (*place, *inner)
        if (remark := _type_remark(value, resolved)) is not None:
            findings.add(remark.rule, path, remark.text, severity=remark.severity, rows=rows, place=where)
            if remark.severity == "error":
                continue
        if (residual := schemas.residual(resolved)) is not None:
            for breach in breaches(residual, value):
                findings.add(breach.keyword, (*path, *breach.path), breach.message, rows=rows, place=where)
        if isinstance(value, dict):
            _names(value, resolved, path, findings, rows, where)
            properties = resolved.get("properties", {})
            extra = resolved.get("additionalProperties")
            for key, child in value.items():
                if key in properties:
                    pending.append((child, properties[key], (*path, key)))
                elif isinstance(extra, Mapping):
                    pending.append((child, extra, (*path, key)))
        elif isinstance(value, list) and isinstance(resolved.get("items"), Mapping | bool):
            pending += [(child, resolved["items"], (*path, index)) for index, child in enumerate(value)]


def _type_remark(value: object, schema: Mapping[str, Any]) -> Remark | None:
    """Judge a value by its type and format only."""
    types = schema.get("type")
    if types is None or (value is None and is_nullable(schema)):
        return None
    kinds = types if isinstance(types, list) else [types]
    remarks = [exact(value, kind, schema.get("format")) for kind in kinds]
    if None in remarks:
        return None
    if len(kinds) == 1:
        return remarks[0]
    return Remark("error", "type", f"{show(value)} is not of type {' or '.join(map(str, kinds))}")


def _names(
    value: dict[str, Any],
    schema: Mapping[str, Any],
    path: Path,
    findings: Findings,
    rows: tuple[int, ...],
    place: Place | None,
) -> None:
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            hint = did_you_mean(name, [key for key in value if key not in properties], there=True)
            where = None if place is None else (*place, name)
            text = f'the key "{name}" is missing'
            findings.add("required", path, text, hint=hint, rows=rows, place=where or (*path, name))
    if properties or "additionalProperties" in schema:
        extra = schema.get("additionalProperties")
        patterns = "patternProperties" in schema
        if extra is True or isinstance(extra, Mapping) or patterns:
            return
        for key in value:
            if key not in properties:
                findings.add(
                    "additionalProperties",
                    (*path, key),
                    f'unknown key "{cut(key, 60)}"',
                    severity="error" if extra is False else "warning",
                    hint=did_you_mean(key, properties),
                    rows=rows,
                    place=None if place is None else (*place, key),
                    at_key=True,
                )
