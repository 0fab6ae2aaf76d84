"""Changes one or two things anywhere in bodies of any form."""

import copy
import json
from collections.abc import Iterator
from random import Random
from typing import Any

VALUES: list[Any] = [
    None, True, False, 0, 1, -1, 2.5, 17.0, 1e30, 10**30, 2**63, "x", "17", "1.5", "", [], [1], {}, {"a": 1}, "age",
    "name", "2020-01-01", [["x", 1, 2.5]], {"0": 1},
]  # fmt: skip
KEYS = ("other", "index", "3", "NAME")


def shaken(body: Any, random: Random) -> tuple[str, bytes]:
    """Return a description of the changes, and the text of the changed body."""
    body = copy.deepcopy(body)
    done = []
    for _ in range(random.choice((1, 1, 1, 2))):
        paths = list(_paths(body))[1:]
        if not paths:
            break
        path = random.choice(paths)
        holder = body
        for step in path[:-1]:
            holder = holder[step]
        done.append(f"{_change(holder, path[-1], random)} {path}")
    return " + ".join(done), json.dumps(body).encode()


def _change(holder: Any, key: Any, random: Random) -> str:
    value = copy.deepcopy(random.choice(VALUES))
    match random.choice(("set", "set", "drop", "copy", "rename", "add", "order")):
        case "drop":
            del holder[key]
            return "drop"
        case "copy" if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
            return "copy"
        case "rename" if isinstance(holder, dict):
            holder[random.choice((*KEYS, f"{key}x"))] = holder.pop(key)
            return "rename"
        case "add":
            if isinstance(holder, dict):
                holder["extra"] = value
            else:
                holder.insert(key, value)
            return f"add {value!r} at"
        case "order" if isinstance(holder, dict):
            items = list(holder.items())
            random.shuffle(items)
            holder.clear()
            holder.update(items)
            return "order at"
    holder[key] = value
    return f"set {value!r} at"


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from _paths(value[key], (*path, key))
