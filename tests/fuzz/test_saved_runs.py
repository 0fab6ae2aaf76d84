"""Saved runs that are damaged, or forged with knowledge of the format: they are read, or refused in one line."""

import json
from collections.abc import Sequence
from itertools import cycle

import numpy as np
import pytest
from hypothesis import strategies as st

from epkit.core.samples import saved
from support.cli_harness import Cli
from support.fuzzing import changed, damaged, fuzz, text_of
from support.places import DATA

EXTREME = (0, 1, -1, 2, 9, 10, 255, 2**16 - 1, 2**31, 2**32 - 1, 2**43, 2**62, 2**63 - 1, -(2**63), -(2**31))

COMMANDS = cycle(
    [
        ("report", "x.epkit"),
        ("report", "x.epkit", "--format", "json"),
        ("report", "x.epkit", "--format", "ab", "-g", "g.tsv", "-e", "e.csv"),
        ("report", "x.epkit", "--format", "markdown", "--samples", "s.csv"),
        ("report", "x.epkit", "--html", "r.html", "--junit", "j.xml"),
        ("compare", "x.epkit", "x.epkit", "--force", "--html", "c.html"),
        ("compare", "x.epkit", str(DATA / "runs" / "format-1.epkit"), "--force", "--format", "json"),
    ]
)


def records(path) -> list[tuple[bytes, bytes]]:
    data = path.read_bytes()
    found, at = [], len(saved.MAGIC)
    while at < len(data):
        tag, length, _ = saved.HEAD.unpack_from(data, at)
        found.append((tag, data[at + saved.HEAD.size : at + saved.HEAD.size + length]))
        at += saved.HEAD.size + length
    return found


def written(made: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Assemble records, each with its correct checksum."""
    return saved.MAGIC + b"".join(saved.record(tag, content) for tag, content in made)


WHOLE = records(DATA / "runs" / "format-1.epkit")
SWEEP = records(DATA / "runs" / "sweep.epkit")
CUT = [record for record in SWEEP if record[0] not in (saved.HIST, saved.DONE)]
FOUND = [*WHOLE, (saved.BEST, json.dumps({"run": 0, "report": json.loads(WHOLE[-1][1])["report"]}).encode())]


def plain(content: bytes) -> object:
    """Decode a record that no earlier change has damaged; None otherwise."""
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


@st.composite
def made_up(draw: st.DrawFn) -> bytes:
    """Draw the records of a valid file, of which one or two have other contents with the correct checksum."""
    made = list(draw(st.sampled_from((WHOLE, SWEEP, CUT, CUT, FOUND))))
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.integers(0, len(made) - 1))
        tag, content = made[place]
        match draw(st.sampled_from(("content", "content", "content", "content", "drop", "repeat", "swap", "bytes"))):
            case "content" if tag == saved.ROWS:
                made[place] = tag, draw(samples(content))
            case "content" if (value := plain(content)) is not None:
                made[place] = tag, text_of(draw(changed(value)))
            case "drop":
                del made[place]
            case "repeat":
                made.insert(draw(st.integers(0, len(made))), made[place])
            case "swap":
                other = draw(st.integers(0, len(made) - 1))
                made[place], made[other] = made[other], made[place]
            case _:
                made[place] = tag, draw(damaged(content))
        if not made:
            break
    return written(made)


@st.composite
def samples(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw samples in which some cells have values that no run measures."""
    rows = np.frombuffer(content, dtype=saved.SAMPLE).copy() if not len(content) % saved.SAMPLE.itemsize else None
    if rows is None or not len(rows):
        return content[:-1]
    for _ in range(draw(st.integers(1, 4))):
        name = draw(st.sampled_from(saved.SAMPLE.names or ()))
        limits = np.iinfo(saved.SAMPLE[name])
        value = max(limits.min, min(limits.max, draw(st.sampled_from(EXTREME))))
        rows[name][draw(st.integers(0, len(rows) - 1))] = value
    return rows.tobytes()


@pytest.mark.parametrize("kind", ["made-up", "damaged"])
def test_a_saved_run_is_read_or_refused_in_one_line(tmp_path, kind):
    cli = Cli(directory=tmp_path)
    files = (
        made_up() if kind == "made-up" else st.sampled_from((WHOLE, CUT, FOUND)).flatmap(lambda w: damaged(written(w)))
    )

    def check(data: bytes) -> None:
        (tmp_path / "x.epkit").write_bytes(data)
        command = next(COMMANDS)
        ran = cli(*command)

        assert ran.code in (0, 2), (command, ran.err)
        assert "Traceback" not in ran.err, ran.err
        assert all(line.startswith("epkit: ") for line in ran.lines), ran.err
        assert "\x1b" not in ran.out + ran.err
        assert "nan" not in ran.out.split()

    fuzz(f"saved_runs_{kind}", files, check)
