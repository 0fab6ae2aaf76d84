"""Where a contract has the predictions in a reply, if its schema has a single list."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, Final

from epkit.core.contract.contract import ParsedContract
from epkit.core.contract.schemas import Resolver, flatten
from epkit.core.replies.finding import ReplyPlace
from epkit.core.shapes.table import REPLY_KEYS
from epkit.errors import UsageError

DEEPEST: Final = 6
"""Greatest depth, in keys, to which a schema is searched."""


def declared_place(contract: ParsedContract) -> ReplyPlace | None:
    """Return the place of the predictions in a reply, if its schema has only one list.

    Returns:
        None if there is no list or more than one, if the reply itself is the list (it needs no place), or if the schema
        has another key that is usual for predictions.
    """
    if contract.reply is None:
        return None
    resolver = Resolver(contract.document)
    try:
        paths = list(islice(_lists(contract.reply, resolver, (), set()), 2))
    except UsageError:  # the mistake is reported by the code that needs this schema
        return None
    if len(paths) != 1 or not paths[0]:
        return None
    usual = [key for key in flatten(resolver.schema(contract.reply), resolver)["properties"] if key in REPLY_KEYS]
    return ReplyPlace(path=paths[0], named=False) if usual in ([], [paths[0][0]]) else None


def _lists(schema: Any, resolver: Resolver, path: tuple[str, ...], seen: set[int]) -> Iterator[tuple[str, ...]]:
    if not isinstance(schema, Mapping) or len(path) > DEEPEST:
        return
    schema = resolver.schema(schema)
    flat = flatten(schema, resolver)
    kind = flat.get("type")
    if kind == "array" or (isinstance(kind, list) and "array" in kind):
        yield path
        return
    if id(schema) in seen:  # schemas can refer to each other, and to themselves
        return
    seen.add(id(schema))
    properties = flat.get("properties")
    if isinstance(properties, Mapping):
        for key, inner in properties.items():
            yield from _lists(inner, resolver, (*path, str(key)), seen)
