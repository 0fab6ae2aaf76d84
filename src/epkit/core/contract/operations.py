"""Finds the operation of a contract for a target: compares its path templates with the end of the real path."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_TEMPLATE: Final = re.compile(r"\{[^{}/]*\}")
_MOST: Final = 2000
"""Greatest length of a path that is compared, in characters."""


def base_of(name: str, path: str) -> str | None:
    """Return the part of a target's path before the path of an operation.

    Args:
        name: path of the operation, maybe with templates (`/predictions/{model_name}`).
        path: path of the target, without a query.

    Returns:
        The base, "" if there is none; None if the target is another operation.
    """
    wanted, found = name.strip("/").split("/"), path.rstrip("/").split("/")
    if wanted == [""] or len(wanted) >= len(found) or max(len(name), len(path)) > _MOST:
        return None
    end = found[-len(wanted) :]
    return "/".join(found[: -len(wanted)]) if all(map(fits, map(segment, wanted), end)) else None


def find(names: Iterable[str], path: str, bases: Iterable[str] = ()) -> list[str]:
    """Find the operations that fit the path of a target best.

    An operation whose base is the contract's own fits better than others. Among equals, more segments are better, then
    fewer templates.

    Args:
        names: paths of operations.
        path: path of the target, without a query.
        bases: paths before those of the operations, from the contract.
    """
    starts = {base.rstrip("/") for base in bases}
    ranked = [
        ((base in starts, name.strip("/").count("/"), -len(_TEMPLATE.findall(name))), name)
        for name in names
        if (base := base_of(name, path)) is not None
    ]
    best = max((rank for rank, _ in ranked), default=None)
    return [name for rank, name in ranked if rank == best]


def bases_of(document: Mapping[str, Any]) -> list[str]:
    """Return the paths that a contract puts before those of its operations."""
    if "swagger" in document:
        base = document.get("basePath")
        return [base if isinstance(base, str) else ""]
    servers = document.get("servers")
    urls = [server.get("url") for server in servers if isinstance(server, Mapping)] if isinstance(servers, list) else []
    return [re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*", "", url) for url in urls if isinstance(url, str)] or [""]


def segment(name: str) -> tuple[str, ...]:
    """Split a segment of a path into the texts around its templates."""
    return tuple(_TEMPLATE.split(name))


def fits(texts: tuple[str, ...], found: str) -> bool:
    """Tell whether a segment consists of these texts with at least one character between each two, in one pass."""
    first, *others = texts
    if not others:
        return found == first
    *middle, last = others
    at = len(first)
    end = len(found) - len(last)
    if not found.startswith(first) or not found.endswith(last):
        return False
    for text in middle:
        place = found.find(text, at + 1, end)  # the first place leaves the most room for the next texts
        if place < 0:
            return False
        at = place + len(text)
    return at < end
