"""The job of a training at Azure, written down beside the model before it is begun: `model.run/job.json`."""

import json
from pathlib import Path
from typing import Final

from epkit.core.train.job_record import RECORDS, JobRecord
from epkit.errors import UsageError, unreadable, unwritable
from epkit.files.writing import replacing
from epkit.reading import FileBound, read_whole

NAME: Final = "job.json"
BOUND: Final = FileBound(what="a job's record", most_bytes=64 << 20, advice="--restart forgets it")


def write(directory: Path, record: JobRecord) -> None:
    """Write a record, whole or not at all.

    Raises:
        UsageError: the disk is full, or the directory cannot be made.
    """
    text = json.dumps(RECORDS.to_document(record), indent=1, ensure_ascii=False) + "\n"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with replacing(directory / NAME) as file:
            file.write(text.encode("utf-8", "surrogatepass"))
    except OSError as error:
        raise unwritable(str(directory), error) from None


def read(directory: Path) -> JobRecord | None:
    """Read a record, None where there is none.

    Raises:
        UsageError: it cannot be read, or is none.
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
