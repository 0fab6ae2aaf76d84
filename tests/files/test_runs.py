"""Saved runs on disk: they are written during the run, and can be read whatever happened to it."""

import json
from pathlib import Path

import numpy as np
import pytest

from epkit.core.samples import saved
from epkit.errors import UsageError
from epkit.files.runs import RunWriter, read, read_all
from epkit.files.writing import NewFile
from support.rows import rows


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "x.epkit")


def write(path, *arms, end=True):
    with RunWriter(path) as writer:
        for arm in arms or ("",):
            writer.begin({"plan": 1}, arm=arm)
            writer.add(rows(3))
            writer.checkpoint({"cpu_s": 1})
            writer.add(rows(2))
            writer.add(rows(0))
            writer.checkpoint({"cpu_s": 2})
            if end:
                writer.end({"format": "r"}, {"service": "h"})


def test_a_run_comes_back(path):
    write(path)
    (run,) = read(path)

    assert (2.0, {"service": "h"}, {"format": "r"}) == (
        run.section.stat.cpu_s, run.section.histograms, run.section.report,
    )  # fmt: skip
    assert [3, 2] == [len(block) for block in run.blocks()]
    assert np.array_equal(np.concatenate([rows(3), rows(2)]), np.concatenate(list(run.blocks())))
    assert (False, "") == (run.cut, run.section.arm)


def test_a_file_holds_several_runs_each_with_its_arm(path):
    write(path, "base", "new", "base")

    assert ["base", "new", "base"] == [run.section.arm for run in read(path)]
    assert [5, 5, 5] == [sum(map(len, run.blocks())) for run in read(path)]


def search(path, number=1):
    with RunWriter(path) as writer:
        for place in range(3):
            writer.begin({"plan": place})
            writer.add(rows(place + 1))
            writer.end({"probe": place}, {})
        writer.choose(number, {"search": "x"})


def test_of_a_search_one_run_is_left_under_the_searchs_report(path):
    search(path)
    (run,) = read(path)

    assert ({"search": "x"}, 1) == (run.section.report, run.section.head.parts["plan"])
    assert [2] == [len(block) for block in run.blocks()]


def test_of_a_search_that_was_cut_off_all_probes_are(path):
    search(path)
    whole = Path(path).read_bytes()
    Path(path).write_bytes(whole[:-1])

    assert [{"probe": place} for place in range(3)] == [run.section.report for run in read(path)]


@pytest.mark.parametrize("number", [3, -1, "1", None])
def test_a_search_about_a_run_that_is_not_there_is_damaged(path, number):
    search(path, number)

    with pytest.raises(UsageError, match="damaged"):
        read(path)


def test_a_file_may_end_anywhere(path):
    write(path)
    whole = Path(path).read_bytes()
    seen = set()
    for length in range(len(whole)):
        Path(path).write_bytes(whole[:length])
        try:
            (run,) = read(path)
        except UsageError as error:
            seen.add(str(error).removeprefix(f"{path}: ").partition(" (")[0])
            continue
        assert run.section.report is None
        assert sum(map(len, run.blocks())) in (0, 3, 5)
        seen.add(run.cut)

    assert {
        True, False, "empty", "cut off after its first bytes", "cut off before the first run begins: nothing of it can be reported",
    } == seen  # fmt: skip


def test_any_byte_that_changed_is_noticed_or_harmless(path):
    write(path)
    whole = Path(path).read_bytes()
    said = []
    expected = (read(path)[0].section.report, sum(map(len, read(path)[0].blocks())))
    for at in range(0, len(whole), 7):
        Path(path).write_bytes(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
        try:
            runs = read(path)
            found = (runs[0].section.report, sum(map(len, runs[0].blocks())))
        except UsageError as error:
            said.append(str(error))
            continue
        # A length beyond the end looks like a truncated file; it never looks complete.
        assert runs[0].cut or found[0] is None or found == expected

    assert said
    assert all(line.startswith(f"{path}: ") for line in said)


def test_records_of_an_unknown_tag_are_passed_over(path):
    write(path)
    with Path(path).open("ab") as file:
        file.write(saved.record(b"NEWS", b"whatever"))

    assert {"format": "r"} == read(path)[0].section.report


def head(path, **changes):
    content = {"format": saved.FORMAT, "arm": "", "row": saved.columns(), **changes}
    Path(path).write_bytes(saved.MAGIC + saved.record(saved.RUN, json.dumps(content).encode()))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": "epkit.run/2"}, "saved by a newer epkit (epkit.run/2; this one reads epkit.run/1): update epkit"),
        ({"format": "vegeta/1"}, "not a run of a known format ('vegeta/1')"),
        ({"format": None}, "not a run of a known format"),
        ({"row": []}, "damaged: "),
        ({"row": 3}, "damaged: "),
    ],
)
def test_what_cannot_be_read_is_told_in_a_line(path, changes, why):
    head(path, **changes)
    with pytest.raises(UsageError) as caught:
        read(path)

    assert f"{path}: {why}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"[]", b"{", b"3"])
def test_a_record_that_is_no_object_is_damage(path, content):
    Path(path).write_bytes(saved.MAGIC + saved.record(saved.RUN, content))

    with pytest.raises(UsageError, match="damaged at byte 8"):
        read(path)


def test_samples_of_another_width_are_damage(path):
    head(path)
    with Path(path).open("ab") as file:
        file.write(saved.record(saved.ROWS, b"xyz"))

    with pytest.raises(UsageError, match="damaged"):
        list(read(path)[0].blocks())


def test_what_is_no_saved_run_is_told(tmp_path):
    (tmp_path / "x.json").write_text("{}")
    for name, why in (("x.json", "not a saved run"), ("nope", "no such file"), (".", "is a directory")):
        with pytest.raises(UsageError, match=why):
            read(str(tmp_path / name))


def test_a_directory_is_the_runs_in_it_by_name(tmp_path):
    for name, arm in (("b.epkit", "2"), ("a.epkit", "1"), ("c.txt", "3")):
        write(str(tmp_path / name), arm)

    assert ["1", "2"] == [run.section.arm for run in read_all(str(tmp_path))]


def test_a_directory_without_runs_is_told(tmp_path):
    with pytest.raises(UsageError, match="no saved run"):
        read_all(str(tmp_path))


def test_a_file_that_cannot_be_written_is_told(tmp_path):
    with pytest.raises(UsageError, match=r"--save .* is a directory"):
        RunWriter(str(tmp_path))


def test_a_full_disk_ends_the_run_in_words():
    with RunWriter("/dev/null") as writer:
        writer._file.close()
        writer._file = NewFile("/dev/full")
        with pytest.raises(UsageError, match="the run cannot be saved: no space left"):
            writer.add(rows(1))


def test_a_file_of_the_same_name_is_there_until_the_first_run_begins(path):
    write(path)
    before = Path(path).read_bytes()
    with RunWriter(path) as writer:
        assert before == Path(path).read_bytes()
        writer.begin({"plan": 2})

        assert 2 == read(path)[0].section.head.parts["plan"]
    with RunWriter(path):
        pass
    assert [Path(path)] == list(Path(path).parent.iterdir())
    assert 2 == read(path)[0].section.head.parts["plan"]


@pytest.mark.parametrize(
    ("column", "value", "why"),
    [
        ("failure", 10, "the failure is of no known kind"),
        ("end", 2**62, "end is no time of a run"),
        ("start", -(2**62), "start is no time of a run"),
        ("tcp", 0, "tcp is before start"),
        ("due", 10**12, "end is before due"),
    ],
)
def test_samples_that_no_run_measures_are_refused_whatever_their_checksum_says(path, column, value, why):
    samples = rows(3).copy()
    samples["start"] += 10**6
    for name in ("tcp", "connected", "sent", "first", "end"):
        samples[name] = samples["start"] + 5
    samples[column][1] = value
    with RunWriter(path) as writer:
        writer.begin({})
        writer.add(samples)

    with pytest.raises(UsageError, match=f"damaged: samples of which {why}"):
        list(read(path)[0].blocks())
