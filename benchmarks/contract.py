"""Compares `epkit validate` with jsonschema, fastjsonschema and jsonschema-rs, and prints a Markdown table.

    nox -s bench-contract [-- --quick] [-- --parquet-gb 4]

Bodies and tables are made from the course's two rows. Each figure is the best of several rounds, in which the
candidates take turns. If a candidate starts from text, parsing is included. Files are checked in a separate process,
whose peak memory the system reports.
"""

import argparse
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import polars as pl

from epkit.core.contract.contract import parse
from epkit.core.validate.frames import check_frame
from epkit.core.validate.validation import Validator
from epkit.core.validate.violations import Findings

HERE = Path(__file__).parent
PAYLOAD = json.loads((HERE / "payload.json").read_bytes())["data"]
KINDS = {int: ("integer", "int64"), float: ("number", "double"), str: ("string", None)}


def contract() -> dict[str, Any]:
    """Return the contract of the course's model, as AutoML writes it."""
    properties = {}
    for name, value in PAYLOAD[0].items():
        kind, format_ = KINDS[type(value)]
        properties[name] = {"type": kind} | ({"format": format_} if format_ else {})
    row = {"type": "object", "required": list(properties), "properties": properties}
    body = {"type": "object", "properties": {"data": {"type": "array", "items": row}}}
    return {"swagger": "2.0", "paths": {"/score": {"post": {"parameters": [{"in": "body", "schema": body}]}}}}


DOCUMENT = contract()
SCHEMA = DOCUMENT["paths"]["/score"]["post"]["parameters"][0]["schema"]


def body(rows: int, **change: Any) -> bytes:
    """Return a body with *rows* rows, each with the changed cells."""
    return json.dumps({"data": [{**PAYLOAD[n % 2], "pdays": n, **change} for n in range(rows)]}).encode()


def candidates(data: bytes, *, valid: bool) -> dict[str, Callable[[], Any]]:
    """Return the candidates: each parses the text and finds all violations that it can find."""
    import jsonschema
    import jsonschema_rs

    reference, rust = jsonschema.Draft4Validator(SCHEMA), jsonschema_rs.Draft4Validator(SCHEMA)
    epkit = Validator(parse(DOCUMENT))

    found: dict[str, Callable[[], Any]] = {
        "jsonschema": lambda: list(reference.iter_errors(orjson.loads(data))),
        **fast(data),
        "jsonschema-rs": lambda: (
            rust.is_valid(orjson.loads(data)) if valid else list(rust.iter_errors(orjson.loads(data)))
        ),
        "epkit": lambda: epkit.check(data),
    }
    assert epkit.check(data).valid is valid
    return found


def fast(data: bytes) -> dict[str, Callable[[], Any]]:
    """Return fastjsonschema, which stops at the first violation; empty if it is not installed."""
    if importlib.util.find_spec("fastjsonschema") is None:
        return {}
    import fastjsonschema

    compiled = fastjsonschema.compile({"$schema": "http://json-schema.org/draft-04/schema#"} | SCHEMA)

    def run() -> None:
        with contextlib.suppress(fastjsonschema.JsonSchemaException):
            compiled(orjson.loads(data))

    return {"fastjsonschema": run}


def measure(named: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Return the best time of each candidate in seconds; the candidates take turns."""
    best = dict.fromkeys(named, float("inf"))
    for _ in range(rounds):
        for name, run in named.items():
            if name == "jsonschema" and best[name] < float("inf"):
                continue  # a hundred times slower: one run is enough
            start = time.perf_counter()
            run()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def of_bodies(rows: int, rounds: int) -> None:
    """Compare the candidates on a valid and an invalid body."""
    for title, data, valid, limit in (
        (f"valid body, {rows:,} rows", body(rows), True, 1.5),
        (f"invalid body, {rows:,} violations", body(rows, age="old"), False, 3.0),
    ):
        times = measure(candidates(data, valid=valid), rounds)
        for name, seconds in times.items():
            ratio = seconds / times["jsonschema-rs"]
            goal = f"{'met' if ratio <= limit else 'MISSED'}: ≤ {limit} ×" if name == "epkit" else ""
            print(f"| {title} | {name} | {seconds * 1000:.1f} ms | {ratio:.2f} × | {goal} |")


def of_tables(rows: int, rounds: int, parquet_gb: float) -> None:
    """Measure tables: in memory, and from files in a separate process."""
    columns = [name for name in PAYLOAD[0] if name != "pdays"]
    frame = pl.DataFrame(PAYLOAD).select(columns)[np.arange(rows) % 2].with_columns(pdays=pl.int_range(rows))
    validator = Validator(parse(DOCUMENT))
    assert validator.rows is not None

    def check() -> None:
        findings = Findings()
        check_frame(frame, 0, validator.rows, findings, validator.schemas, text=False)  # type: ignore[arg-type]
        assert not findings

    before = time.process_time()
    wall = measure({"epkit": check}, rounds)["epkit"]
    cpu = (time.process_time() - before) / rounds
    cells = rows * len(frame.columns) / cpu / 1e6
    goal = "met" if cells >= 20 else "MISSED"
    speed = f"{wall * 1000:.1f} ms | {cells:,.0f} M cells/s of CPU"
    print(f"| table in memory, {rows:,} × 20 | epkit | {speed} | {goal}: ≥ 20 |")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.csv"
        frame.write_csv(file)
        of_file(file, 3.0)
        file.unlink()
        if parquet_gb:
            file = Path(folder) / "table.parquet"
            index = pl.int_range(rows)
            wide = frame.with_columns(job=index.hash().cast(pl.String), month=index.hash(1).cast(pl.String))
            wide.write_parquet(file, compression="uncompressed", row_group_size=100_000)
            copies = max(1, round(parquet_gb * 1e9 / file.stat().st_size))
            big = Path(folder) / "big.parquet"
            whole = pl.concat([pl.scan_parquet(file)] * copies)
            whole.sink_parquet(big, compression="uncompressed", row_group_size=100_000)
            of_file(big, None)


CHILD = """
import resource, sys, time
from pathlib import Path
start = time.perf_counter()
from epkit.files.tables import check_table
from epkit.core.validate.validation import Validator
from epkit.core.contract.contract import parse
import json
verdict = check_table(Path(sys.argv[1]), Validator(parse(json.loads(sys.argv[2]))))
status = Path("/proc/self/status")
if status.exists():  # Linux counts the parent's memory into ru_maxrss
    peak = int(status.read_text().partition("VmHWM:")[2].split()[0]) * 1024
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([time.perf_counter() - start, peak, verdict.valid]))
"""


def of_file(file: Path, limit_s: float | None) -> None:
    """Check a file in a separate process."""
    size = file.stat().st_size
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(file), json.dumps(DOCUMENT)], capture_output=True, check=True
    )
    seconds, peak, valid = json.loads(done.stdout)
    peak_mb = peak / 1e6
    met = valid and peak_mb < 1000 and (limit_s is None or seconds < limit_s)
    goal = f"{'met' if met else 'MISSED'}: {f'< {limit_s:g} s, ' if limit_s else ''}< 1 GB"
    what = f"{file.suffix[1:]} of {size / 1e6:,.0f} MB, imports included"
    print(f"| {what} | epkit | {seconds:.2f} s | {peak_mb:,.0f} MB | {goal} |")


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows, two rounds")
    parser.add_argument("--parquet-gb", type=float, default=0.0, help="also stream a Parquet file of this size")
    options = parser.parse_args()
    scale, rounds = (10, 2) if options.quick else (1, 15)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print("| what | who | best time | | goal |\n|---|---|---|---|---|")
    of_bodies(10_000 // scale, rounds)
    of_tables(1_000_000 // scale, rounds, options.parquet_gb)


if __name__ == "__main__":
    main()
