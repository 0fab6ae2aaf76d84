"""Measures the cost of a row of `epkit score` in each shape of a body: `python benchmarks/shapes.py [--rows N]`.

    pip install ".[local]" && python benchmarks/shapes.py

Rows like the course's are read from a CSV file, encoded, and put into bodies of a hundred, in this process and without
a server. The shapes take turns, a different one first in each round. A ratio compares figures of the same round.
"""

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median

from score import make
from table import markdown

from epkit.core.contract.contract import parse
from epkit.core.shapes.envelopes import from_wrap
from epkit.core.validate.validation import Validator
from epkit.files.sources import CsvSource

HERE = Path(__file__).parent
SCHEMA = HERE.parent / "swagger" / "bank.swagger2.json"
BATCH = 100
SHAPES = ("@azure", "@lists", "@mlflow-split", "@oip", "@tf-columns", "@csv", "@jsonlines")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000, metavar="N")
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    options = parser.parse_args()
    costs: dict[str, list[float]] = {shape: [] for shape in SHAPES}
    with tempfile.TemporaryDirectory(prefix="epkit-benchmark-") as scratch:
        path = Path(scratch) / "rows.csv"
        make(path, options.rows)
        for turn in range(options.rounds + 1):
            for place in range(len(SHAPES)):
                shape = SHAPES[(place + turn) % len(SHAPES)]
                cost = measured(path, shape, options.rows)
                if turn:  # the first round is a warm-up
                    costs[shape].append(cost)
    lines = [
        (shape, f"{median(mine):.2f}", f"{median(a / b for a, b in zip(mine, costs[SHAPES[0]], strict=True)):.2f}")
        for shape, mine in costs.items()
    ]
    print(markdown(("shape", "us a row", f"of {SHAPES[0]}"), lines, left=1))


def measured(path: Path, shape: str, rows: int) -> float:
    """Encode a table in one shape; return microseconds of CPU per row."""
    source = CsvSource(path, "rows.csv", Validator(parse(json.loads(SCHEMA.read_bytes()))).rows)
    envelope = replace(from_wrap(shape), names=source.names)
    before, after = envelope.around()
    writer = envelope.writer
    size, began = 0, time.process_time()
    for piece in source.pieces(0, lists=envelope.wants_lists):
        for start in range(0, len(piece), BATCH):
            size += len(before + writer.write(piece.rows[start : start + BATCH]) + after)
    assert size > rows
    return (time.process_time() - began) * 1e6 / rows


if __name__ == "__main__":
    main()
