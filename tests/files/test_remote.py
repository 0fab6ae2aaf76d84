"""The files that a store lists are put into their directory, or refused."""

from pathlib import Path
from typing import Any, ClassVar

import pytest

from epkit.errors import UsageError
from epkit.files import remote

fsspec = pytest.importorskip("fsspec", reason="needs the extra cluster")


@pytest.fixture
def store(monkeypatch) -> type[Any]:
    """A store that has the test's listing, with `rows` as the content of each file."""

    class Hostile(fsspec.AbstractFileSystem):
        protocol = "hostile"
        cachable = False
        listed: ClassVar[list[str]] = []

        def isdir(self, path: str) -> bool:
            return not path.rsplit("/", 1)[-1].startswith("rows")

        def find(self, path: str, **_: object) -> list[str]:
            return self.listed

        def get_file(self, rpath: str, lpath: str, **_: object) -> None:
            Path(lpath).write_text("rows")

    fsspec.register_implementation("hostile", Hostile, clobber=True)
    return Hostile


def files(directory: Path) -> list[str]:
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "bucket/../../escaped.parquet",
            '"../../escaped.parquet" is not accepted as the name of a file: it has a part',
        ),
        ("bucket/a/../b.parquet", '"a/../b.parquet" is not accepted as the name of a file: it has a part'),
        ("bucket//etc/x.parquet", '"/etc/x.parquet" is not accepted as the name of a file: it is absolute'),
        ("bucket/a\0.parquet", '"a.parquet" is not accepted as the name of a file: it holds a control character'),
        ("bucket/" + "a/" * 40 + "b.parquet", " is not accepted as the name of a file: it has more than 32 parts"),
        ("bucket2/x.parquet", 'it lists "bucket2/x.parquet", which is not in it'),
        ("http://user:p4ss@elsewhere/x.parquet", 'it lists "http://***@elsewhere/x.parquet", which is not in it'),
    ],
)
def test_a_listing_that_leads_out_is_refused_and_writes_nothing(store, tmp_path, name, why):
    here = tmp_path / "a" / "b"
    here.mkdir(parents=True)
    store.listed = [name]

    with pytest.raises(UsageError) as caught:
        remote.fetch("hostile://bucket", here)

    assert str(caught.value).startswith("hostile://bucket: ")
    assert why in str(caught.value)
    assert [] == files(tmp_path)


def test_a_listing_is_fetched_as_it_lies(store, tmp_path):
    store.listed = ["bucket/a.parquet", "bucket/year=2026/b.parquet", "bucket/_SUCCESS", "bucket/..c.parquet"]

    there = remote.fetch("hostile://bucket/", tmp_path)

    assert ["..c.parquet", "a.parquet", "year=2026/b.parquet"] == files(there)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("hostile://bucket/rows.CSV", "rows.csv"),
        ("hostile://bucket/rows", "rows"),
        ("hostile://bucket/rows.exe", "rows"),
        (f"hostile://bucket/rows?sig={'x' * 300}", "rows"),
        ("hostile://bucket/rows\0.jsonl", "rows.jsonl"),
    ],
)
def test_of_a_files_name_only_a_known_ending_is_kept(store, tmp_path, url, name):
    assert tmp_path / name == remote.fetch(url, tmp_path)
    assert [name] == files(tmp_path)
