"""The cells of speed: every client with every kind of load on nginx, in turns."""

from collections.abc import Sequence
from dataclasses import dataclass

from clients import Client, Load
from measure import Bench, MeasureError
from servers import Origins
from table import Cost, Reading, cpu_us_per_request, startup_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One kind of load on nginx; `share` gives a slow cell about the same duration as the others."""

    name: str
    tls: bool
    concurrency: int
    share: float

    @property
    def key(self) -> str:
        """The name in the form of the command line: plain-c64."""
        return self.name.replace(" c=", "-c")


CELLS = (
    Cell(name="plain c=1", tls=False, concurrency=1, share=0.25),
    Cell(name="plain c=16", tls=False, concurrency=16, share=1),
    Cell(name="plain c=64", tls=False, concurrency=64, share=4),
    Cell(name="tls c=16", tls=True, concurrency=16, share=0.5),
    Cell(name="tls c=64", tls=True, concurrency=64, share=0.5),
)


def read_cell(bench: Bench, cell: Cell, client: Client, url: str, requests: int, round_: int) -> Reading:
    """Measure one client in one cell: a short run, then a long one.

    Args:
        requests: the cell's number of requests; the client gets its share, and the short run twice the connections.

    Raises:
        MeasureError: the client failed, or one of its requests did.
    """
    few = max(20, 2 * cell.concurrency)
    many = max(10 * few, round(requests * cell.share * client.share))

    def load(count: int, seconds: int) -> Load:
        return Load(
            url=url,
            concurrency=cell.concurrency,
            requests=count,
            seconds=seconds,
            scratch=bench.scratch,
            core=bench.cores.client,
        )

    said, finished = client.send(load(few, 1))
    short = Cost(requests=said.requests, cpu_s=finished.cpu_s)
    # A client that accepts only a duration runs one second, then longer by the requested duration.
    seconds = 1 + max(1, round(many / said.requests_per_s)) if client.by_time else 1
    said, finished = client.send(load(many, seconds))
    long = Cost(requests=said.requests, cpu_s=finished.cpu_s)
    return Reading(
        cell=cell.name,
        client=client.name,
        round=round_,
        requests=said.requests,
        cpu_us=cpu_us_per_request(many=long, few=short),
        startup_ms=startup_ms(many=long, few=short),
        requests_per_s=said.requests_per_s,
        p50_ms=said.p50_ms,
        p99_ms=said.p99_ms,
    )


def speed(
    bench: Bench,
    cells: Sequence[Cell],
    clients: Sequence[Client],
    origins: Origins,
    requests: int,
    readings: list[Reading],
) -> None:
    """Measure every client in every cell, round by round, into *readings*.

    In each cell the clients take turns, and another one is first in each round, so that none always follows the same
    one.
    """
    for round_ in range(bench.rounds):
        for place, cell in enumerate(cells):
            url = f"{origins.tls if cell.tls else origins.plain}/score"
            first = (round_ + place) % len(clients)
            for client in (*clients[first:], *clients[:first]):
                try:
                    reading = read_cell(bench, cell, client, url, requests, round_)
                except (MeasureError, ValueError) as error:
                    bench.complain(f"{cell.name}, {client.name}: {error}")
                    continue
                readings.append(reading)
                bench.say(
                    f"round {round_ + 1}/{bench.rounds}  {cell.name:10}  {client.name:13}  "
                    f"{reading.cpu_us:8.1f} µs/request  {reading.requests_per_s:9,.0f} requests/s"
                )
