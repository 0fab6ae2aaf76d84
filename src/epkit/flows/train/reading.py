"""From what the user named to a table in memory, by the readers that `score` has."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from epkit.errors import UsageError
from epkit.files.dialects import TableOptions
from epkit.files.digests import digest_of
from epkit.files.frames import stacked
from epkit.flows.context import Context
from epkit.flows.rows.input import source_of
from epkit.flows.rows.opening import spooled

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table in memory.

    Args:
        name: what messages call it.
        sha256: of the file, unpacked; of a directory, of its parts and their names.
    """

    name: str
    sha256: str
    frame: "pl.DataFrame"


def read_table(
    file: str, stdin: BinaryIO, context: Context, *, encoding: str | None = None, decimal: str | None = None
) -> Table:
    """Read a table whole.

    Args:
        file: a path, a directory of Parquet files, a URL, or `-`.
        encoding, decimal: of its text, as `TableOptions` has them.

    Raises:
        UsageError: it cannot be read as what its name says, has no rows, or changed while it was read.
    """
    # What learns from a table looks for cells that are no numbers itself.
    options = TableOptions(encoding=encoding, decimal=decimal, remarks=False)
    with spooled(file, stdin, context, options) as given:
        assert given is not None
        assert given.path is not None
        if given.kind == ".json":
            raise UsageError(f"{given.name}: is a request body: name a table, .csv, .parquet or .jsonl, or .gz of one")
        before = digest_of(given.path, given.name)
        source = source_of(given, None)
        frames = list(source.frames())
        source.refuse_faults(": correct the line")
        for remark in source.remarks:
            context.note(remark)
        if not frames:
            raise UsageError(f"{given.name}: there are no rows")
        frame = stacked(frames)
        if digest_of(given.path, given.name) != before:
            raise UsageError(f"{given.name}: changed while it was read: start again when it is complete")
        return Table(name=given.name, sha256=before, frame=frame)
