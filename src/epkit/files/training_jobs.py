"""The files of a training at Azure next to its model: the job, the rows that were not sent, Azure's own files.

model.run/job.json      the job, written before it starts
model.run/test.csv      the test rows
model.run/azure/…       other files of the best trial
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final

from epkit.core.train.job_record import RECORDS, JobRecord
from epkit.errors import UsageError, unreadable, unwritable
from epkit.files.writing import replacing
from epkit.reading import FileBound, read_whole

if TYPE_CHECKING:
    import polars as pl

NAME: Final = "job.json"
TEST_FILE: Final = "test.csv"
BOUND: Final = FileBound(what="a job's record", most_bytes=64 << 20, advice="--restart forgets it")


def write(directory: Path, record: JobRecord) -> None:
    """Write a record, completely or not at all.

    Raises:
        UsageError: the disk is full, or the directory cannot be created.
    """
    text = json.dumps(RECORDS.to_document(record), indent=1, ensure_ascii=False) + "\n"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with replacing(directory / NAME) as file:
            file.write(text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        raise unwritable(str(directory), error) from None


def read(directory: Path) -> JobRecord | None:
    """Read a record, None if there is none.

    Raises:
        UsageError: the file cannot be read, or is not a record.
    """
    path = directory / NAME
    try:
        content = read_whole(path, BOUND, name=str(path))
        return RECORDS.from_document(json.loads(content.decode("utf-8", "surrogatepass")))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise unreadable(str(path), error, "a job's record") from None
    except (ValueError, AttributeError, RecursionError) as error:
        why = str(error).splitlines()[0][:200]
        raise UsageError(f"{path}: damaged: {why}: --restart forgets it") from None


def forget(directory: Path) -> None:
    """Delete a record, and the rows that belong to it.

    Raises:
        UsageError: they cannot be deleted.
    """
    for name in (NAME, TEST_FILE):
        try:
            (directory / name).unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(str(directory / name), error) from None


def write_table(directory: Path, frame: "pl.DataFrame", name: str, description: str) -> None:
    """Write an MLTable into a new directory.

    Args:
        name: name of the file of rows.
        description: contents of the file `MLTable`.

    Raises:
        UsageError: the disk is full.
    """
    try:
        directory.mkdir()
        frame.write_csv(directory / name)
        (directory / "MLTable").write_text(description, encoding="utf-8")
    except OSError as error:
        raise unwritable(str(directory), error) from None


def write_test(directory: Path, frame: "pl.DataFrame") -> None:
    """Write the rows that are not sent, before the record. Without such rows there is no file.

    Raises:
        UsageError: the disk is full.
    """
    if frame.height:
        write_fetched(directory / TEST_FILE, frame.write_csv().encode())


def write_fetched(path: Path, content: bytes) -> None:
    """Write a file, completely or not at all, and create its parent directories.

    Raises:
        UsageError: the disk is full.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            file.write(content)
    except OSError as error:
        raise unwritable(str(path), error) from None
