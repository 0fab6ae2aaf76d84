"""Checks that an entry script has the functions that the server calls, without running it."""

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from epkit.errors import UsageError, unreadable
from epkit.reading import FileBound, read_whole

CALLED: Final = ("init", "run")
"""Functions that the inference server calls."""

SCRIPT: Final = FileBound(what="a script", most_bytes=4 << 20, advice="name the Python file with init() and run()")


def check_script(path: Path, name: str) -> None:
    """Check that a module defines `init` and `run`; it is parsed, never imported.

    Args:
        name: name of the module in messages.

    Raises:
        UsageError: the file cannot be read, is not valid in this Python version, or lacks one of the functions.
    """
    try:
        source = read_whole(path, SCRIPT, name=name)
    except OSError as error:
        raise unreadable(name, error, "a script") from None
    try:
        tree = ast.parse(source, filename=path.name)
    except SyntaxError as error:
        raise UsageError(f"{name}:{error.lineno or 1}: no Python of this version: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise UsageError(f"{name}: no Python: {str(error) or 'it is nested too deep'}") from None
    bound = set(_bound(tree.body))
    missing = [f"{each}()" for each in CALLED if each not in bound and "*" not in bound]
    if missing:
        raise UsageError(
            f"{name}: it has no {' and no '.join(missing)}, which the server calls: init() opens the model, "
            "run(data) scores"
        )


def _bound(body: Sequence[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind in their module, also in blocks; `*` for `from … import *`."""
    for statement in body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield statement.name
        elif isinstance(statement, ast.ImportFrom | ast.Import):
            yield from (alias.asname or alias.name for alias in statement.names)
        elif isinstance(statement, ast.Assign | ast.AnnAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                yield from (each.id for each in ast.walk(target) if isinstance(each, ast.Name))
        else:
            for block in ("body", "orelse", "finalbody"):
                yield from _bound(getattr(statement, block, ()))
            for handler in getattr(statement, "handlers", ()):
                yield from _bound(handler.body)
            for case in getattr(statement, "cases", ()):
                yield from _bound(case.body)
