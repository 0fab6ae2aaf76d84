"""Workers for a run or a job: processes of this machine, or those of a cluster."""

import contextlib
from collections.abc import Iterator
from typing import Final

from epkit.core.http.addresses import is_loopback
from epkit.core.http.destination import Destination
from epkit.engines.workers.crew import Crew, LocalCrew
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.crew.worker import MODULE

MOST_WORKERS: Final = 1024


def check_crew(workers: int | None, cluster: str | None) -> None:
    """Refuse workers that cannot be had, before anything is started.

    Raises:
        UsageError: the flags are wrong, or the extra `cluster` is missing.
    """
    if workers is not None and cluster is not None:
        raise UsageError("--workers and --cluster contradict each other: processes here, or workers there")
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise UsageError(f"--workers {workers}: the processes are 1 to {MOST_WORKERS}")
    if cluster is not None:
        from epkit.engines.workers.cluster import require_dask

        require_dask()


def check_reach(destination: Destination, crew: Crew) -> None:
    """Refuse a destination that only this machine can reach, where workers are on others.

    Raises:
        UsageError: it is such a one.
    """
    if not crew.is_elsewhere or crew.is_beside:
        return
    if destination.bind is not None:
        raise UsageError(f"-B {destination.bind}: an address of this machine, and the workers are on others")
    host, _ = destination.first_hop
    if destination.unix is not None or is_loopback(host):
        where = destination.unix or host
        other = "a TARGET" if destination.proxy is None else "with -X a proxy"
        raise UsageError(f"{where} is this machine alone, and the workers are on others: name {other} that they reach")


@contextlib.contextmanager
def hire(workers: int | None, cluster: str | None, context: Context, *, joins: bool = False) -> Iterator[Crew | None]:
    """Have workers for the length of a block; None where none are asked for.

    Args:
        workers: how many processes of this machine.
        cluster: address of a Dask scheduler whose workers are used, all of them.
        joins: whether those that come later are used, too.

    Raises:
        UsageError: they cannot be had.
    """
    check_crew(workers, cluster)
    crew: Crew
    if cluster is not None:
        from epkit.engines.workers.cluster import ClusterCrew

        crew = ClusterCrew(cluster, MODULE, context.note, joins=joins)
    elif workers is not None and workers > 1:
        crew = LocalCrew(workers, MODULE)
    else:
        yield None
        return
    try:
        yield crew
    finally:
        crew.close()
