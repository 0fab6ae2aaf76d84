"""Computes the digest of an input; another input has another digest."""

import hashlib
from pathlib import Path

from epkit.errors import UsageError
from epkit.files import parquet


def digest_of(path: Path, name: str) -> str:
    """Return a digest that changes with the input: of a file, or of the files of a directory and their names.

    Raises:
        UsageError: the input cannot be read.
    """
    try:
        if path.is_dir():
            parts = parquet.parts_of(path)
            names = "".join(f"{part.relative_to(path)} {digest_of(part, name)}\n" for part in parts)
            return hashlib.sha256(names.encode()).hexdigest()
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UsageError(f"{name}: cannot be read: {error.strerror}") from None
