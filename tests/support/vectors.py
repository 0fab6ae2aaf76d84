"""Reports that the real ab printed, and the facts about the clock of each."""

import json
import math
import re
from dataclasses import dataclass

import numpy as np

from epkit.core.samples.rows import SAMPLE, Failure
from support.places import DATA

AB = DATA / "ab"
CLOCKED = tuple(sorted(path.stem for path in (AB / "clocked").glob("*.json")))
TIMED = tuple(sorted(path.stem for path in AB.glob("*.txt")))


@dataclass(frozen=True)
class Row:
    """A row of Connection Times as printed; with -S, sd and median are missing."""

    min: int
    mean: int
    max: int
    sd: str | None = None
    median: int | None = None


@dataclass(frozen=True)
class Printed:
    """The values in ab's report."""

    text: str

    @property
    def body(self) -> str:
        return self.text[self.text.index("Server Software:") :]

    @property
    def head(self) -> dict[str, str]:
        lines = self.body.split("Connection Times")[0].splitlines()
        return {line[:24].strip().rstrip(":"): line[24:] for line in reversed(lines) if line[:1].isalpha()}

    def number(self, label: str) -> int:
        return int(self.head.get(label, "0").split()[0])

    def row(self, label: str) -> Row:
        (line,) = [line for line in self.body.splitlines() if line.startswith(f"{label}: ")]
        cells = line.split()[1:]
        if len(cells) == 3:
            return Row(*(int(cell) for cell in cells))
        low, mean, sd, median, high = cells
        return Row(int(low), int(mean), int(high), sd, int(median))

    @property
    def percentiles(self) -> tuple[tuple[int, int], ...]:
        found = re.findall(r"^ {1,2}(\d+)% +(\d+)", self.body, re.MULTILINE)
        return tuple((int(p), int(ms)) for p, ms in found)

    @property
    def messages(self) -> str:
        return "".join(re.findall(r"(?:WARNING|ERROR): .*\n +.*\n", self.body))


@dataclass(frozen=True)
class Clocked:
    """A run of ab with a scripted clock: every reading is known."""

    printed: Printed
    csv: str
    tsv: str
    flags: tuple[str, ...]
    began_us: int
    rows_us: np.ndarray  # start, connected, sent, first, end

    @property
    def duration_s(self) -> float:
        return float(self.rows_us[-1, -1] - self.began_us) / 1e6

    def samples(self, jitter_ns: int = 0) -> np.ndarray:
        block = np.zeros(len(self.rows_us), dtype=SAMPLE)
        for i, point in enumerate(("start", "connected", "sent", "first", "end")):
            block[point] = (self.rows_us[:, i] - self.began_us) * 1000 + jitter_ns
        block["failure"] = Failure.NONE
        return block


def printed(name: str) -> Printed:
    return Printed((AB / f"{name}.txt").read_text())


def clocked(name: str) -> Clocked:
    folder = AB / "clocked"
    script = json.loads((folder / f"{name}.json").read_text())
    return Clocked(
        printed=Printed((folder / f"{name}.txt").read_text()),
        csv=(folder / f"{name}.csv").read_text(),
        tsv=(folder / f"{name}.tsv").read_text(),
        flags=tuple(script["ab"]),
        began_us=script["began_us"],
        rows_us=np.array(script["rows_us"], dtype=np.int64),
    )


def totals(name: str) -> np.ndarray:
    """Return every total time of a run of at most 100 requests, in µs: ab's -e file shows each of them."""
    count = printed(name).number("Complete requests")
    found: dict[int, int] = {}
    for line in (AB / f"{name}.csv").read_text().splitlines()[1:]:
        percent, ms = line.split(",")
        index = 0 if percent == "0" else math.floor(0.5 + count * int(percent) / 100)
        index = count - 1 if percent == "100" else index
        if index < count:  # beyond this, ab read past the end of its array
            found[index] = round(float(ms) * 1000)
    assert sorted(found) == list(range(count))
    return np.array([found[i] for i in range(count)], dtype=np.int64)
