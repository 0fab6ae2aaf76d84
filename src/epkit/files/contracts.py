"""Contracts from files."""

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
        path: of the scoring operation, where the contract alone does not tell.
        at: the path of the target, where there is one.
        name: what messages call it; by default the source.

    Raises:
        UsageError: the file cannot be read, or the contract is broken.
    """
    return parsed(*read(source, name=name), path=path, at=at)


def parsed(document: Any, name: str, *, path: str | None, at: str | None = None) -> ParsedContract:
    """Read a decoded contract, whose name is in what is said of it.

    Args:
        path: of the scoring operation, where the user names it.
        at: the path of the target.

    Raises:
        UsageError: it is broken.
    """
    try:
        return replace(parse(document, path=path, at=at), source=name)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None


def read(source: str | Path, *, name: str | None = None) -> tuple[Any, str]:
    """Read the document of a contract, and leave open what it says.

    Args:
        source, name: as `load` has them.

    Returns:
        What it decodes to, and its name.

    Raises:
        UsageError: the file cannot be read, or is neither JSON nor YAML.
    """
    name = name or str(source)
    try:
        data = read_whole(Path(source), CONTRACT, name=name)
    except OSError as error:
        raise UsageError(f"{name}: the contract cannot be read: {error.strerror}") from None
    return documents.decode(data, name=name), name
