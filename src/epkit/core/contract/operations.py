"""Finds the operation of a contract for a target: compares its path templates with the end of the real path."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_TEMPLATE: Final = re.compile(r"\{[^{}/]*\}")
_MOST: Final = 2000
"""Characters of a path that is compared."""


def base_of(name: str, path: str) -> str | None:
    """Return what of a target's path goes before the path of an operation.

    Args:
        name: of the operation, templates in it (`/predictions/{model_name}`).
        path: of the target, without a query.

    Returns:
        The base, "" where there is none; None where the target is another operation.
    """
    wanted, found = name.strip("/").split("/"), path.rstrip("/").split("/")
    if wanted == [""] or len(wanted) >= len(found) or max(len(name), len(path)) > _MOST:
        return None
    end = found[-len(wanted) :]
    return "/".join(found[: -len(wanted)]) if all(map(fits, map(segment, wanted), end)) else None


def find(names: Iterable[str], path: str, bases: Iterable[str] = ()) -> list[str]:
    """Find the operations that a target may be, by its path: those that fit it best.

    One that begins where the contract says its server does goes before all others; then the longest; then the one
    with the least of it left open.

    Args:
        names: paths of operations.
        path: of the target, without a query.
        bases: paths before those of the operations, as the contract has them.
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
    """Return the paths that go before those of a contract's operations, as the contract has them."""
    if "swagger" in document:
        base = document.get("basePath")
        return [base if isinstance(base, str) else ""]
    servers = document.get("servers")
    urls = [server.get("url") for server in servers if isinstance(server, Mapping)] if isinstance(servers, list) else []
    return [re.sub(r"^[A-Za-z][A-Za-z0-9+.-]*://[^/]*", "", url) for url in urls if isinstance(url, str)] or [""]


def segment(name: str) -> tuple[str, ...]:
    """Take a segment of a path apart: the texts around its templates."""
    return tuple(_TEMPLATE.split(name))


def fits(texts: tuple[str, ...], found: str) -> bool:
    """Tell whether a segment is these texts with something between each two of them, in one walk along it."""
    first, *others = texts
    if not others:
        return found == first
    *middle, last = others
    at = len(first)
    end = len(found) - len(last)
    if not found.startswith(first) or not found.endswith(last):
        return False
    for text in middle:
        place = found.find(text, at + 1, end)  # the first place leaves most for what follows
        if place < 0:
            return False
        at = place + len(text)
    return at < end
