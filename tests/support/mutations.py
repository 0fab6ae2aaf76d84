"""Changes request bodies so that they become worse, one change at a time."""

import copy
import json
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any

CELLS: list[Any] = [
    "17", " 17 ", "1e3", "+5", "17.0", "17.9", "old", "", "0x1F", "NaN", "true",
    17, 17.0, 17.9, -1, 0, 1, 0.1, 1e30, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 10**30, -(10**30), 12345678901234567890,
    True, False, None, [], [1], {}, {"a": 1}, float("nan"), float("inf"), "é", "\ud800", "x" * 3000,
    "2020-01-01", "2020-01-01T00:00:00", "2020-01-01T00:00:00Z", "2020-01-01T10:00:00+02:00", "2020-13-01",
    "2020-02-30 10:00", "1/1/2013 00:00:00", "13/13/2013", "1500-01-01", "2020-01-01T25:00:00", "P1D", "YWJj",
]  # fmt: skip


def mutate(body: Any, rows_path: tuple[str, ...], random: Random) -> tuple[str, bytes]:
    """Change one or two things in a body; return a description of the changes, and the text of the body."""
    body = copy.deepcopy(body)
    names = []
    for _ in range(random.choice((1, 1, 1, 2))):
        if not isinstance(body, dict):
            break
        change = random.choice(CHANGES)
        done = change(body, rows_path, random)
        if isinstance(done, tuple):
            name, body = done
            names.append(name)
        else:
            names.append(done)
    text = json.dumps(body)
    if random.random() < 0.08:
        name, text = _spoil(text, random)
        names.append(name)
    return " + ".join(names), text.encode("utf-8", "surrogatepass")


def mutate_anywhere(body: Any, random: Random) -> tuple[str, bytes]:
    """Change one thing anywhere in a body of any shape; return a description of the change, and the body's text."""
    places = list(_places(body, ()))
    place = random.choice(places)
    name, changed = _changed(_at(body, place), random)
    text = json.dumps(_with(body, place, changed))
    if random.random() < 0.08:
        name, text = _spoil(text, random)
    return f"{'/'.join(map(str, place)) or 'all'}: {name}", text.encode("utf-8", "surrogatepass")


def _places(value: Any, place: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Yield the path to each value, beginning with the whole."""
    yield place
    inside: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, item in inside:
        yield from _places(item, (*place, key))


def _at(value: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        value = value[key]
    return value


def _with(value: Any, place: tuple[str | int, ...], changed: Any) -> Any:
    """Return a copy with one value replaced."""
    if not place:
        return changed
    value = copy.copy(value)
    value[place[0]] = _with(value[place[0]], place[1:], changed)
    return value


def _changed(value: Any, random: Random) -> tuple[str, Any]:
    """Change a value according to its kind: an object, an array, or a cell."""
    if isinstance(value, dict) and value and random.random() < 0.8:
        key, others = random.choice(list(value)), dict(value)
        held = others.pop(key)
        return random.choice(
            (
                (f"{key} left out", others),
                (f"{key} renamed", {**others, random.choice((key.upper(), f"{key}x", "other")): held}),
                ("a key more", {**value, "extra": random.choice(CELLS)}),
                (f"{key} last", {**others, key: held}),
            )
        )
    if isinstance(value, list) and value and random.random() < 0.8:
        at = random.randrange(len(value))
        return random.choice(
            (
                (f"{at} left out", value[:at] + value[at + 1 :]),
                (f"{at} twice", value[: at + 1] + value[at:]),
                ("one more", [*value, random.choice(CELLS)]),
                ("empty", []),
                ("turned round", value[::-1]),
                ("one deeper", [value]),
            )
        )
    cell = random.choice(CELLS)
    return f"= {str(cell)[:30]!r} ({type(cell).__name__})", cell


def _holder(body: Any, path: tuple[str, ...]) -> Any:
    for key in path[:-1]:
        body = body[key] if isinstance(body, dict) and key in body else None
    return body if isinstance(body, dict) and path[-1] in body else None


def _rows(body: Any, path: tuple[str, ...]) -> list[Any] | None:
    holder = _holder(body, path)
    value = holder[path[-1]] if holder is not None else None
    return value if isinstance(value, list) and value else None


def _cell(body: Any, path: tuple[str, ...], random: Random) -> str:
    rows = _rows(body, path)
    if rows is None:
        return "nothing"
    row = random.choice(rows)
    if not isinstance(row, dict | list) or not row:
        return "nothing"
    key = random.choice(list(row)) if isinstance(row, dict) else random.randrange(len(row))
    value = random.choice(CELLS)
    targets = rows if random.random() < 0.3 else [row]
    for target in targets:
        if (isinstance(target, dict) and key in target) or (
            isinstance(target, list) and isinstance(key, int) and key < len(target)
        ):
            target[key] = value
    return f"cell {key} = {str(value)[:30]!r} ({type(value).__name__})"


def _drop_cell(body: Any, path: tuple[str, ...], random: Random) -> str:
    rows = _rows(body, path)
    if rows is None:
        return "nothing"
    targets = rows if random.random() < 0.4 else [random.choice(rows)]
    key: Any = None
    for row in targets:
        if isinstance(row, dict) and row:
            key = random.choice(list(row)) if key is None or key not in row else key
            del row[key]
        elif isinstance(row, list) and row:
            key = row.pop()
    return f"cell {key} dropped"


def _rename(body: Any, path: tuple[str, ...], random: Random) -> str:
    rows = _rows(body, path)
    if rows is None or not isinstance(rows[0], dict) or not rows[0]:
        return "nothing"
    key = random.choice(list(rows[0]))
    new = random.choice((key.upper(), key + "x", key[:-1], key + " ", "other"))
    for row in rows if random.random() < 0.7 else rows[:1]:
        if isinstance(row, dict) and key in row:
            row[new] = row.pop(key)
    return f"{key} renamed to {new}"


def _extra(body: Any, path: tuple[str, ...], random: Random) -> str:
    rows = _rows(body, path)
    if rows is None:
        return "nothing"
    for row in rows if random.random() < 0.7 else rows[:1]:
        if isinstance(row, dict):
            row["extra"] = random.choice(CELLS)
        elif isinstance(row, list):
            row.append(random.choice(CELLS))
    return "extra cell"


def _row(body: Any, path: tuple[str, ...], random: Random) -> str:
    rows = _rows(body, path)
    if rows is None:
        return "nothing"
    value: Any = random.choice((None, 1, "row", [], {}, [1, 2], True, "list", "copy"))
    if value == "list":
        value = list(rows[0].values()) if isinstance(rows[0], dict) else {"a": 1}
    if value == "copy":
        value = copy.deepcopy(rows[0])
    rows[random.randrange(len(rows))] = value
    return f"row = {str(value)[:30]}"


def _whole(body: Any, path: tuple[str, ...], random: Random) -> str:
    holder = _holder(body, path)
    if holder is None:
        return "nothing"
    rows = holder[path[-1]]
    choices: list[Any] = [None, [], {}, 1, "rows", True, [[]], [{}], json.dumps(rows)]
    if isinstance(rows, list) and rows and isinstance(rows[0], dict):
        choices += [rows[0], [list(row.values()) for row in rows if isinstance(row, dict)]]
        choices += [{key: [row.get(key) for row in rows if isinstance(row, dict)] for key in rows[0]}]
    if isinstance(rows, list) and rows and isinstance(rows[0], list):
        choices += [rows[0], [rows]]
    holder[path[-1]] = random.choice(choices)
    return f"rows = {str(holder[path[-1]])[:30]}"


def _wrapper(body: Any, path: tuple[str, ...], random: Random) -> tuple[str, Any]:
    holder = _holder(body, path)
    rows = holder[path[-1]] if holder is not None else []
    new: Any = random.choice(
        (
            {"data": rows},
            {"Inputs": {"data": rows}},
            {"Inputs": rows},
            {"inputs": {"data": rows}},
            {"Data": rows},
            {"instances": rows},
            {"dataframe_records": rows},
            {"Inputs": {"Data": rows}},
            {"Inputs": {}},
            {},
            [body],
            rows,
            None,
            "text",
            3,
            {**{k: v for k, v in body.items() if k != path[0]}, path[0].upper(): body.get(path[0])},
        )
    )
    return f"body = {str(new)[:40]}", new


def _parameter(body: Any, path: tuple[str, ...], random: Random) -> str:
    others = [key for key in body if key != path[0]]
    if not others or random.random() < 0.2:
        body["unknown"] = random.choice(CELLS)
        return f"unknown key = {str(body['unknown'])[:30]}"
    key = random.choice(others)
    if random.random() < 0.3:
        del body[key]
        return f"{key} left out"
    if isinstance(body[key], dict) and body[key] and random.random() < 0.6:
        inner = random.choice(list(body[key]))
        body[key][inner] = random.choice([*CELLS, "predict", "predict_proba"])
        return f"{key}.{inner} = {str(body[key][inner])[:30]!r}"
    body[key] = random.choice([*CELLS, "predict_proba", "nope"])
    return f"{key} = {str(body[key])[:30]!r}"


CHANGES = (
    [_cell] * 8
    + [_drop_cell] * 2
    + [_rename] * 2
    + [_extra] * 2
    + [_row] * 2
    + [_whole] * 2
    + [_wrapper] * 2
    + [_parameter] * 2
)


def _spoil(text: str, random: Random) -> tuple[str, str]:
    at = random.randrange(len(text))
    match random.randrange(7):
        case 0:
            return "cut", text[:at]
        case 1:
            return "trailing comma", text[:-1] + "," + text[-1]
        case 2:
            return "comment", "// a comment\n" + text
        case 3:
            return "single quotes", text.replace('"', "'")
        case 4:
            return "byte order mark", "\ufeff" + text
        case 5:
            return "duplicate key", text.replace('{"', '{"x": 1, "x": 2, "', 1)
    return "empty", ""
