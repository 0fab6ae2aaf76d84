"""Fetches from a store: the files of one model, limited in size, each inside the directory. No SDK is needed."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from epkit.backends.azure import models
from epkit.core.hosting.references import JobReference, RegisteredReference
from epkit.errors import BackendError, UsageError


class Container:
    """A container of blobs: contents by name, and sizes in the listing."""

    def __init__(self, blobs: dict[str, bytes], sizes: dict[str, int] | None = None) -> None:
        self._blobs = blobs
        self._sizes = sizes or {}

    def list_blobs(self, name_starts_with: str) -> Iterator[Any]:
        for name, content in self._blobs.items():
            if name.startswith(name_starts_with):
                metadata = {"hdi_isfolder": "true"} if content == b"a folder" else None
                yield SimpleNamespace(name=name, size=self._sizes.get(name, len(content)), metadata=metadata)

    def download_blob(self, name: str, max_concurrency: int) -> Any:
        return SimpleNamespace(chunks=lambda: iter([self._blobs[name][:2], self._blobs[name][2:]]))


def fetched(tmp_path: Path, container: Container, monkeypatch: pytest.MonkeyPatch, path: str = "m/model") -> Path:
    monkeypatch.setattr(models, "_container", lambda *_: container)
    uri = f"azureml://subscriptions/s/resourcegroups/g/workspaces/w/datastores/store/paths/{path}"
    client = SimpleNamespace(models=SimpleNamespace(get=lambda *_, **__: SimpleNamespace(path=uri)))
    return models.fetch(client, None, RegisteredReference(name="bank", version="1"), tmp_path, lambda _: None)


def test_a_directory_is_fetched_without_its_neighbours_and_the_marks_of_folders(tmp_path, monkeypatch):
    blobs = {
        "m/model/a.pkl": b"abc",
        "m/model/sub/b": b"",
        "m/model2/c": b"x",
        "m/model/sub": b"a folder",
        "m/model": b"",
    }
    found = fetched(tmp_path, Container(blobs), monkeypatch)

    assert tmp_path / "model" == found
    assert {"a.pkl": b"abc", "sub/b": b""} == {
        path.relative_to(found).as_posix(): path.read_bytes() for path in found.rglob("*") if path.is_file()
    }


def test_a_file_is_fetched_as_one(tmp_path, monkeypatch):
    found = fetched(tmp_path, Container({"m/model.pkl": b"abc"}), monkeypatch, "m/model.pkl")

    assert b"abc" == found.read_bytes()


@pytest.mark.parametrize(
    "name", ["m/model/../../evil", "m/model//etc/x", "m/model/a\\b", "m/model/\x1b", "m/model/" + "d/" * 40]
)
def test_a_name_that_leads_elsewhere_is_refused_and_nothing_is_written_there(tmp_path, monkeypatch, name):
    (tmp_path / "in").mkdir()
    with pytest.raises(UsageError, match="is not accepted as the name of a file"):
        fetched(tmp_path / "in", Container({name: b"x"}), monkeypatch)

    assert ["in"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(("bound", "most"), [("MOST_BYTES", 2), ("MOST_FILES", 1)])
def test_what_is_too_much_is_refused_before_anything_is_fetched(tmp_path, monkeypatch, bound, most):
    monkeypatch.setattr(models, bound, most)
    with pytest.raises(BackendError, match="azureml:bank:1: over "):
        fetched(tmp_path, Container({"m/model/a": b"ab", "m/model/b": b"cd"}), monkeypatch)

    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("listed", [2, 4])
def test_a_file_of_another_size_than_was_listed_is_refused(tmp_path, monkeypatch, listed):
    with pytest.raises(BackendError, match="a: changed while it was fetched: try again"):
        fetched(tmp_path, Container({"m/model/a": b"abc"}, {"m/model/a": listed}), monkeypatch)


def test_nothing_there_is_told(tmp_path, monkeypatch):
    with pytest.raises(BackendError, match="azureml:bank:1: there is no such model"):
        fetched(tmp_path, Container({"m/model2/a": b"abc"}), monkeypatch)


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("azureml://jobs/run_7/outputs/artifacts/paths/outputs/mlflow-model/", "outputs/mlflow-model"),
        ("azureml://jobs/run_7/outputs/artifacts/outputs/model.pkl", "outputs/model.pkl"),
        ("azureml://subscriptions/s/workspaces/w/jobs/run_7/outputs/artifacts/paths/outputs/m", "outputs/m"),
        ("azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.run_7/outputs/m", "outputs/m"),
    ],
)
def test_a_model_that_was_registered_of_a_job_is_among_the_files_of_that_job(uri, path):
    client = SimpleNamespace(models=SimpleNamespace(get=lambda *_, **__: SimpleNamespace(path=uri)))
    place = models._of_model(client, RegisteredReference(name="bank", version="1"))

    assert ("workspaceartifactstore", f"ExperimentRun/dcid.run_7/{path}") == (place.datastore, place.path)


def test_the_best_run_of_a_sweep_is_meant_too():
    job = SimpleNamespace(status="Completed", tags=None, properties={"best_child_run_id": "sweep_3"})
    client = SimpleNamespace(jobs=SimpleNamespace(get=lambda _: job))

    assert (
        "ExperimentRun/dcid.sweep_3/outputs" == models._of_job(client, JobReference(job="sweep"), lambda _: None).path
    )
