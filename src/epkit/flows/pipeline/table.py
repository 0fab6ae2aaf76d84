"""The table of a run: its path, its hash, and its rows."""

import os
from pathlib import Path

from epkit.core.http.masking import mask_url, url_secrets
from epkit.errors import UsageError, unwritable
from epkit.files import fetching, remote
from epkit.files.digests import digest_of
from epkit.flows.pipeline.world import World

FETCHED = "table"


def path_of(world: World) -> Path:
    """Return the path of the table. A table from a URL is downloaded once into the directory of the run.

    Raises:
        UsageError: it does not exist, or cannot be downloaded.
    """
    data = world.config.data
    if not remote.is_remote(data):
        path = world.context.cwd / Path(data).expanduser()
        if not path.exists():
            raise UsageError(f"{world.config.place}.data: there is no {path}")
        return path
    world.context.know(url_secrets(data))
    place = world.directory / FETCHED
    try:
        place.mkdir(exist_ok=True)
        found = sorted(place.iterdir())
        if found:
            return found[0]
        half = world.directory / f"{FETCHED}.part"
        half.mkdir(exist_ok=True)
        fetched = fetching.fetch(data, half)
        return fetched.rename(place / fetched.name)
    except OSError as error:
        raise unwritable(f"{mask_url(data)}: {place}", error) from None


def name_of(world: World) -> str:
    """Return the name of the table for messages and reports."""
    data = world.config.data
    if remote.is_remote(data):
        return mask_url(data)
    return os.path.relpath(world.context.cwd / Path(data).expanduser())


def hash_of(world: World) -> str:
    """Return the SHA-256 of the table's file, which changes when the table changes.

    Raises:
        UsageError: it cannot be read.
    """
    return digest_of(path_of(world), name_of(world))
