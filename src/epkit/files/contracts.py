"""Reads contracts from files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from epkit.core.contract import documents
from epkit.core.contract.contract import ParsedContract, parse
from epkit.errors import UsageError
from epkit.reading import CONTRACT, read_whole


def load(
    source: str | Path, *, path: str | None = None, at: str | None = None, name: str | None = None
) -> ParsedContract:
    """Read a contract.

    Args:
        source: a file.
        path: path of the scoring operation, if the contract alone does not determine it.
        at: path of the target, if there is a target.
        name: name of the contract in messages; by default the source.

    Raises:
        UsageError: the file cannot be read, or the contract is broken.
    """
    return parsed(*read(source, name=name), path=path, at=at)


def parsed(document: Any, name: str, *, path: str | None, at: str | None = None) -> ParsedContract:
    """Read a decoded contract.

    Args:
        path: path of the scoring operation, if the user names it.
        at: path of the target.

    Raises:
        UsageError: the contract is broken; the message contains *name*.
    """
    try:
        return replace(parse(document, path=path, at=at), source=name)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def read(source: str | Path, *, name: str | None = None) -> tuple[Any, str]:
    """Read the document of a contract, without a check of its content.

    Args:
        source, name: see `load`.

    Returns:
        The decoded document, and its name.

    Raises:
        UsageError: the file cannot be read, or is neither JSON nor YAML.
    """
    name = name or str(source)
    try:
        data = read_whole(Path(source), CONTRACT, name=name)
    except OSError as error:
        raise UsageError(f"{name}: the contract cannot be read: {error.strerror}") from None
    return documents.decode(data, name=name), name
