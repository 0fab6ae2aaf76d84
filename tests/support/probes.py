"""Request bodies with usual mistakes, made from a correct body."""

import copy
import json
from typing import Any


def probes(body: Any, path: tuple[str, ...]) -> dict[str, bytes]:
    """Return named bodies: the correct one, and others with one change.

    Args:
        body: a decoded body that the server accepts.
        path: keys that lead to its rows, each an object or a list of cells; () if it has none.
    """
    made: dict[str, Any] = {"as it should be": body, "null": None, "{}": {}, "a list": [body], "a string": "text"}
    for key in body:
        made[f"without {key}"] = {name: value for name, value in body.items() if name != key}
        made[f"{key} in another case"] = {(n.swapcase() if n == key else n): v for n, v in body.items()}
        if not path or key != path[0]:
            made |= {f"{key} = {json.dumps(value)}": {**body, key: value} for value in (None, "nope", {}, 7)}
    made["an unknown key"] = {**body, "unknown": 1}
    if path:
        made |= {f"rows: {name}": _with(body, path, rows) for name, rows in _rows(_at(body, path)).items()}
    texts = {name: json.dumps(value).encode() for name, value in made.items()}
    right = texts["as it should be"]
    return texts | {
        "empty": b"",
        "cut short": right[: len(right) // 2],
        "a comma too many": right[:-1] + b",}",
        "a comment": b"// mine\n" + right,
        "a byte order mark": b"\xef\xbb\xbf" + right,
        "UTF-16": right.decode().encode("utf-16"),
        "UTF-16 without a mark": right.decode().encode("utf-16-le"),
        "not UTF-8": right.replace(b"{", b'{"\xff": 1, ', 1),
        "a key twice": right.replace(b"{", b'{"x": 1, "x": 2, ', 1),
    }


def _rows(rows: list[Any]) -> dict[str, Any]:
    """Return rows with a mistake in the first row, or in all."""
    made: dict[str, Any] = {"none": [], "one, not in a list": rows[0], "text": json.dumps(rows), "null": None}
    made["one of them null"] = [*rows, None]
    first = rows[0]
    if isinstance(first, list):
        cells = {index: type(value) for index, value in enumerate(first[:1])}
        made["a cell too many"] = [[*row, 1] for row in rows]
        made["a cell too few"] = [row[:-1] for row in rows]
        made["flat"] = first
    else:
        kinds = {type(value): name for name, value in reversed(first.items())}
        cells = {name: kind for kind, name in kinds.items()}
        made["as lists"] = [list(row.values()) for row in rows]
        made["as columns"] = {name: [row[name] for row in rows] for name in first}
        last = list(first)[-1]
        made["a column missing"] = [{k: v for k, v in row.items() if k != last} for row in rows]
        made["a column missing in one"] = [*rows, {k: v for k, v in first.items() if k != last}]
        made["a column too many"] = [{**row, "y": "no"} for row in rows]
        made["a column renamed"] = [{(f"{k}x" if k == last else k): v for k, v in row.items()} for row in rows]
    for name, kind in cells.items():
        for value in ("17", "old", 17, 17.9, 10**30, True, None, [], float("nan"), "2020-01-01T00:00:00Z"):
            changed = copy.deepcopy(rows)
            changed[0][name] = value
            made[f"{kind.__name__} = {'a huge number' if value == 10**30 else json.dumps(value)}"] = changed
    return made


def _at(body: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        body = body[key]
    return body


def _with(body: Any, path: tuple[str, ...], rows: Any) -> Any:
    body = copy.deepcopy(body)
    _at(body, path[:-1])[path[-1]] = rows
    return body
