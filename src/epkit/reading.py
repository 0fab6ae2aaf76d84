"""Reads whole files. Each kind has a size limit, so that a device or a wrong file does not fill the memory."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from epkit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBound:
    """The size limit for files of one kind.

    Args:
        what: the name of such a file in messages.
        most_bytes: larger files are refused.
        advice: what to do about a larger one.
    """

    what: str
    most_bytes: int
    advice: str


KEY: Final = FileBound(what="a key", most_bytes=64 << 10, advice="name the file that holds the key alone")
CERTIFICATES: Final = FileBound(
    what="a file of certificates", most_bytes=16 << 20, advice="name a PEM file, with those that are needed"
)
CONTRACT: Final = FileBound(
    what="a contract", most_bytes=16 << 20, advice="name a swagger.json or an OpenAPI document (real ones have 200 kB)"
)
"""The limit is that of a contract from a URL, which is a whole reply."""

PAYLOAD: Final = FileBound(
    what="a payload", most_bytes=256 << 20, advice="epkit score sends tables of any size (.jsonl, .csv, .parquet)"
)
"""A hundred times the limit of Azure's endpoints, because a `.jsonl` has many payloads."""

CHECKED: Final = FileBound(
    what="a body that is checked",
    most_bytes=16 << 20,
    advice="no endpoint takes that: give the rows as .jsonl, .csv or .parquet",
)
"""Ten times the limit of Azure's endpoints; tables have no limit."""

TRAINING: Final = FileBound(
    what="the report of a training", most_bytes=256 << 20, advice="name the train.json that epkit train wrote"
)
WORKSPACE: Final = FileBound(
    what="Azure's config.json", most_bytes=1 << 20, advice="download it from the workspace's page"
)
MLMODEL: Final = FileBound(
    what="an MLmodel", most_bytes=512 << 10, advice="name the directory that MLflow wrote the model to"
)
CONDA: Final = FileBound(what="a conda file", most_bytes=1 << 20, advice="name the YAML file that lists the packages")


def read_whole(file: Path | BinaryIO, bound: FileBound, *, name: str) -> bytes:
    """Read a whole file, or the rest of an open stream.

    Args:
        name: the name in messages.

    Raises:
        UsageError: it is larger than its kind may be; a device or a pipe is read up to the limit.
        OSError: it cannot be read.
    """
    if not isinstance(file, Path):
        return _checked(file.read(bound.most_bytes + 1), bound, name)
    with file.open("rb") as opened:
        found = os.fstat(opened.fileno())
        if stat.S_ISREG(found.st_mode) and found.st_size > bound.most_bytes:
            raise _too_large(f"{found.st_size:,}", bound, name)
        return _checked(opened.read(bound.most_bytes + 1), bound, name)


def _checked(data: bytes, bound: FileBound, name: str) -> bytes:
    if len(data) > bound.most_bytes:
        raise _too_large(f"over {bound.most_bytes:,}", bound, name)
    return data


def _too_large(size: str, bound: FileBound, name: str) -> UsageError:
    return UsageError(f"{name}: {size} bytes, but {bound.what} has {bound.most_bytes:,} at most: {bound.advice}")
