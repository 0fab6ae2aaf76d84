"""Workers for a run or a job: processes of this machine, or those of a cluster."""

import contextlib
from collections.abc import Iterator
from typing import Final

from epkit.engines.crew import Crew, LocalCrew
from epkit.errors import UsageError
from epkit.flows.aim import World
from epkit.flows.worker import MODULE

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
        from epkit.engines.cluster import require_dask

        require_dask()


@contextlib.contextmanager
def hire(workers: int | None, cluster: str | None, world: World) -> Iterator[Crew | None]:
    """Have workers for the length of a block; None where none are asked for.

    Args:
        workers: how many processes of this machine.
        cluster: address of a Dask scheduler whose workers are used, all of them.

    Raises:
        UsageError: they cannot be had.
    """
    check_crew(workers, cluster)
    crew: Crew
    if cluster is not None:
        from epkit.engines.cluster import ClusterCrew

        crew = ClusterCrew(cluster, MODULE, world.note)
    elif workers is not None and workers > 1:
        crew = LocalCrew(workers, MODULE)
    else:
        yield None
        return
    try:
        yield crew
    finally:
        crew.close()
