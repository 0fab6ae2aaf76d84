"""Workers for a run or a job: processes of this machine, or the workers of a cluster."""

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
    """Refuse workers that are not available, before anything is started.

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
    """Refuse a connection to a scheduler over a network that others can read and change.

    Raises:
        UsageError: the connection is not encrypted and the user has not allowed that, or a file for TLS is missing.
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
    """Return whether a host is loopback: its address is, or all addresses of its name are."""
    if is_loopback(host):
        return True
    try:
        found = {str(address[0]) for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        return False
    return bool(found) and all(map(is_loopback, found))


def check_reach(destination: Destination, crew: Crew) -> None:
    """Refuse a destination that only this machine can reach, if some workers run on others.

    Raises:
        UsageError: they cannot reach it.
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
    """Start workers and keep them while the block lasts; None if the options ask for none.

    Args:
        kind: the kind of work.
        workers: the number of processes of this machine.
        cluster: a Dask scheduler; all of its workers are used.
        joins: whether workers that appear later are used as well.

    Raises:
        UsageError: the workers are not available.
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
