"""The directory of a model is written completely, or not at all."""

import hashlib
import io
import json
import os
import zipfile

import numpy as np
import pytest

from epkit.errors import UsageError
from epkit.files import model_directory
from epkit.files.model_directory import check, npz_bytes, write
from support.small_disk import PAGE, small_disk


def model(version, *others):
    card = {"format": "epkit.card/1", "files": ["model.npz", *others], "version": version}
    return {"model.npz": b"arrays" + version.encode(), "card.json": json.dumps(card).encode()} | dict.fromkeys(
        others, b"more"
    )


def content(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_a_model_is_written_with_its_digests(tmp_path):
    digests, sizes = write(tmp_path / "new" / "model", model("1"), overwrite=False)

    assert model("1") == content(tmp_path / "new" / "model")
    assert hashlib.sha256(b"arrays1").hexdigest() == digests["model.npz"]
    assert 7 == sizes["model.npz"]
    assert ["model"] == os.listdir(tmp_path / "new")


def test_an_empty_directory_is_taken(tmp_path):
    (tmp_path / "model").mkdir()
    write(tmp_path / "model", model("1"), overwrite=False)

    assert model("1") == content(tmp_path / "model")


def test_where_a_disk_is_mounted_no_model_is_written():
    with small_disk(20 * PAGE) as folder:
        said = refused(folder, overwrite=True)

        assert said.endswith(": a disk is mounted there, which no model can replace: name a directory in it")
        check(folder / "model", overwrite=False)


@pytest.mark.parametrize("exchange", [True, False])
def test_a_model_takes_the_place_of_another_one_whole(tmp_path, monkeypatch, exchange):
    write(tmp_path / "model", model("1", "model.txt"), overwrite=False)
    (tmp_path / "model" / "__pycache__").mkdir()
    if not exchange:
        monkeypatch.setattr(model_directory, "_exchanged", lambda one, other: False)
    write(tmp_path / "model", model("2"), overwrite=True)

    assert model("2") == content(tmp_path / "model")
    assert ["model"] == os.listdir(tmp_path)


def test_a_link_stays_one(tmp_path):
    write(tmp_path / "one", model("1"), overwrite=False)
    (tmp_path / "link").symlink_to("one")
    write(tmp_path / "link", model("2"), overwrite=True)

    assert (tmp_path / "link").is_symlink()
    assert model("2") == content(tmp_path / "one")


def refused(directory, *, overwrite):
    with pytest.raises(UsageError) as caught:
        check(directory, overwrite=overwrite)
    return str(caught.value).replace(str(directory.parent), "")


def test_a_model_is_replaced_only_when_asked(tmp_path):
    write(tmp_path / "model", model("1"), overwrite=False)

    expected = "/model holds a model already: --overwrite replaces it, or name another directory"
    assert expected == refused(tmp_path / "model", overwrite=False)
    check(tmp_path / "model", overwrite=True)


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize("card", [None, b"{}", b"[" * 100_000, b'{"format": "epkit.card/1"}', b"\xff"])
def test_other_things_are_never_written_over(tmp_path, overwrite, card):
    directory = tmp_path / "thesis"
    directory.mkdir()
    (directory / "thesis.tex").write_text("years")
    if card is not None:
        (directory / "card.json").write_bytes(card)
    message = refused(directory, overwrite=overwrite)

    assert message.startswith("/thesis has other things in it (")
    with pytest.raises(UsageError):
        write(directory, model("1"), overwrite=overwrite)
    assert "years" == (directory / "thesis.tex").read_text()


def test_a_model_with_a_strange_file_in_it_is_not_written_over(tmp_path):
    write(tmp_path / "model", model("1"), overwrite=False)
    (tmp_path / "model" / "notes.txt").write_text("mine")

    expected = '/model has other things in it ("notes.txt"): name another directory, or a new one'
    assert expected == refused(tmp_path / "model", overwrite=True)


def test_a_file_is_no_directory(tmp_path):
    (tmp_path / "model").write_text("")

    assert "/model is a file: name another directory for the model" == refused(tmp_path / "model", overwrite=True)
    for deep in ("model/deep", "model/deep/er"):
        said = refused(tmp_path / deep, overwrite=True)
        assert f"{tmp_path}/model is a file: name another directory for the model".endswith(said)
        assert "deep" not in said


def test_what_cannot_be_written_leaves_what_was_there(tmp_path, monkeypatch):
    write(tmp_path / "model", model("1"), overwrite=False)

    def full(path, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(model_directory, "_write_file", full)
    with pytest.raises(UsageError) as caught:
        write(tmp_path / "model", model("2"), overwrite=True)

    assert str(caught.value).endswith("model: no space left on device: make room there, or name another place")
    assert model("1") == content(tmp_path / "model")
    assert ["model"] == os.listdir(tmp_path)


def test_a_full_disk_is_one_line():
    with small_disk(64 << 10) as disk:
        with pytest.raises(UsageError, match="no space left on device: make room there"):
            write(disk / "model", {**model("1"), "model.npz": bytes(1 << 20)}, overwrite=False)

        assert [] == os.listdir(disk)


def test_equal_arrays_are_equal_bytes_that_numpy_reads():
    arrays = {"b": np.arange(5, dtype=np.int32), "a": np.array(3), "empty": np.zeros((0, 2))}
    written = npz_bytes(arrays)
    with np.load(io.BytesIO(written), allow_pickle=False) as found:
        assert {"a", "b", "empty"} == set(found)
        assert all(np.array_equal(arrays[name], found[name]) for name in arrays)
        assert all(arrays[name].dtype == found[name].dtype for name in arrays)
        assert () == found["a"].shape

    assert written == npz_bytes(dict(reversed(arrays.items())))
    assert {(1980, 1, 1, 0, 0, 0)} == {member.date_time for member in zipfile.ZipFile(io.BytesIO(written)).infolist()}


def test_objects_are_not_stored():
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        npz_bytes({"a": np.array([object()])})
