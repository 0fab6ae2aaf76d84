"""Workers for a run or a job: processes of this machine, or those of a cluster."""

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from epkit.core.http.addresses import is_loopback
from epkit.core.http.destination import Destination
from epkit.core.load.cluster import ClusterAddress
from epkit.engines.workers.crew import Crew, LocalCrew
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.flows.crew.worker import WorkerKind

MOST_WORKERS: Final = 1024


def check_crew(workers: int | None, cluster: ClusterAddress | None) -> None:
    """Refuse workers that cannot be had, before anything is started.

    Raises:
        UsageError: the flags are wrong, or the extra `cluster` is missing.
    """
    if workers is not None and cluster is not None:
        raise UsageError("--workers and --cluster contradict each other: processes here, or workers there")
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise UsageError(f"--workers {workers}: the number of processes must be from 1 to {MOST_WORKERS}")
    if cluster is not None:
        from epkit.engines.workers.cluster import require_dask

        require_dask()
        _check_way(cluster)


def _check_way(cluster: ClusterAddress) -> None:
    """Refuse to go to a scheduler over a network that anybody may listen to, and write to.

    Raises:
        UsageError: that is the way, and the user has not said that it is meant; or a certificate is missing.
    """
    files = {"--cluster-ca": cluster.ca, "--cluster-cert": cluster.cert, "--cluster-key": cluster.key}
    for flag, file in files.items():
        if file is not None and not Path(file).is_file():
            raise UsageError(f"{flag} {file}: no such file")
    if cluster.is_encrypted or cluster.insecure or _is_this_machine(cluster.host or ""):
        return
    raise UsageError(
        f"--cluster {cluster.address}: the connection is not encrypted, and anyone on the network between can run "
        f"code on this machine: use tls:// with --cluster-ca, --cluster-cert and --cluster-key, or "
        f"--insecure-cluster in a network "
        "that you trust"
    )


def _is_this_machine(host: str) -> bool:
    """Tell whether a host is loopback: by itself, or by all the addresses that it has."""
    if is_loopback(host):
        return True
    try:
        found = {str(address[0]) for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(map(is_loopback, found))


def check_reach(destination: Destination, crew: Crew) -> None:
    """Refuse a destination that only this machine can reach, where workers are on others.

    Raises:
        UsageError: it is such a one.
    """
    if not crew.is_elsewhere or crew.shares_loopback:
        return
    if destination.bind is not None:
        raise UsageError(f"-B {destination.bind}: an address of this machine, but the workers are on others")
    host, _ = destination.first_hop
    if destination.unix is not None or is_loopback(host):
        where = destination.unix or host
        other = "a TARGET" if destination.proxy is None else "with -X a proxy"
        raise UsageError(
            f"{where} is reachable on this machine only, but the workers are on others: name {other} "
            f"that they can reach"
        )


@contextlib.contextmanager
def hire(
    kind: WorkerKind, workers: int | None, cluster: ClusterAddress | None, context: Context, *, joins: bool = False
) -> Iterator[Crew | None]:
    """Have workers for the length of a block; None where none are asked for.

    Args:
        kind: what they are for.
        workers: how many processes of this machine.
        cluster: a Dask scheduler whose workers are used, all of them.
        joins: whether those that come later are used, too.

    Raises:
        UsageError: they cannot be had.
    """
    check_crew(workers, cluster)
    crew: Crew
    if cluster is not None:
        from epkit.engines.workers.cluster import ClusterCrew

        crew = ClusterCrew(cluster, kind.module, kind.messages, context.note, joins=joins)
    elif workers is not None and workers > 1:
        crew = LocalCrew(workers, kind.module, kind.messages)
    else:
        yield None
        return
    try:
        yield crew
    finally:
        crew.close()
