"""The script that `epkit score` is compared with, as a user would write it.

`python score_peer.py URL IN.csv OUT.csv BATCH_ROWS CONCURRENCY`. It uses aiohttp on uvloop, csv and orjson, with one
task per slot. Rows are typed by column, and predictions are written in order.
"""

import asyncio
import csv
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import uvloop

INTEGERS = {"age", "duration", "campaign", "pdays", "previous"}
REALS = {"emp.var.rate", "cons.price.idx", "cons.conf.idx", "euribor3m", "nr.employed"}


def batches(lines: Iterator[list[str]], rows: int) -> Iterator[tuple[int, list[list[str]]]]:
    """Cut rows into batches."""
    number = 0
    while batch := list(islice(lines, rows)):
        yield number, batch
        number += 1


async def main(url: str, source: str, out: str, rows: int, concurrency: int) -> None:
    """Score a file."""
    with Path(source).open(newline="") as given, Path(out).open("w", newline="") as taken:  # noqa: ASYNC230
        lines = csv.reader(given)
        names = next(lines)
        kinds: list[Any] = [int if n in INTEGERS else float if n in REALS else str for n in names]
        writer = csv.writer(taken)
        writer.writerow([*names, "prediction"])
        pending = batches(lines, rows)
        done: dict[int, tuple[list[list[str]], list[Any]]] = {}
        written = 0
        connector = aiohttp.TCPConnector(limit=concurrency)
        async with aiohttp.ClientSession(connector=connector, headers={"Content-Type": "application/json"}) as session:

            async def slot() -> None:
                nonlocal written
                for number, batch in pending:
                    typed = [
                        {name: kind(cell) for name, kind, cell in zip(names, kinds, row, strict=True)} for row in batch
                    ]
                    async with session.post(url, data=orjson.dumps({"data": typed})) as reply:
                        reply.raise_for_status()
                        predictions = orjson.loads(await reply.read())["result"]
                    if len(predictions) != len(batch):
                        raise SystemExit(f"{len(predictions)} predictions for {len(batch)} rows")
                    done[number] = batch, predictions
                    while written in done:
                        ready, answers = done.pop(written)
                        writer.writerows([*row, answer] for row, answer in zip(ready, answers, strict=True))
                        written += 1

            async with asyncio.TaskGroup() as slots:
                for _ in range(concurrency):
                    slots.create_task(slot())


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
