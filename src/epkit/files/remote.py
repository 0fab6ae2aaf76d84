"""Downloads files from object stores and servers, by URL, through fsspec.

They are downloaded first for two reasons: rows are read twice, once to check them and once to send them, and a job that
resumes after a crash must find the same rows.
"""

from pathlib import Path
from typing import Any, Final

from epkit.core.http.masking import clean, mask_url
from epkit.core.shortening import cut
from epkit.errors import UsageError
from epkit.paths import inside

KINDS: Final = tuple(kind + packed for kind in (".csv", ".parquet", ".jsonl", ".json") for packed in ("", ".gz"))
MAX_DEPTH: Final = 32
"""Greatest depth of subdirectories in a directory of Parquet files."""


def is_remote(file: str) -> bool:
    """Tell whether a name is a URL."""
    return "://" in file


def fetch(url: str, directory: Path) -> Path:
    """Download a file, or the Parquet files of a directory.

    Args:
        url: such as `s3://bucket/rows.parquet`; the settings of its store (credentials, an endpoint) come from the
            environment or fsspec's own files.
        directory: an empty directory for the files.

    Raises:
        UsageError: fsspec or the package for this kind of store is missing, or the file cannot be read.
    """
    shown = mask_url(url)
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise UsageError(f"{shown}: a URL needs fsspec: pip install 'epkit[cluster]'") from None
    try:
        store, path = url_to_fs(url)
        # Only the suffix of the name has a meaning, and only a known one.
        there = directory / f"rows{next((kind for kind in KINDS if path.lower().endswith(kind)), '')}"
        if not store.isdir(path):
            store.get_file(path, str(there))
            return there
        _fetch_all(store, path, there, shown)
    except UsageError:
        raise
    except ImportError as error:
        raise UsageError(f"{shown}: {_line(error)}") from None
    except FileNotFoundError:
        raise UsageError(f"{shown}: no such file") from None
    except Exception as error:  # noqa: BLE001 - each store has errors of its own
        raise UsageError(f"{shown}: cannot be read: {_line(error)}") from None
    return there


def _fetch_all(store: Any, path: str, there: Path, shown: str) -> None:
    root = path.rstrip("/") + "/"
    there.mkdir()
    for name in store.find(root[:-1]):
        if name.endswith(".parquet"):
            if not name.startswith(root):
                raise UsageError(f'{shown}: it lists "{mask_url(clean(name))}", which is not in it')
            local = inside(there, name.removeprefix(root), where=shown, parts=MAX_DEPTH)
            local.parent.mkdir(parents=True, exist_ok=True)
            store.get_file(name, str(local))


def _line(error: Exception) -> str:
    return cut(next(iter(str(error).splitlines()), type(error).__name__), 200)
