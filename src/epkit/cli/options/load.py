"""The options of `bench` that make more of a load than a number of requests: rates, stages, searches, repetitions."""

from typing import Annotated

from epkit.cli.options.common import CLUSTER, LOAD, number, option
from epkit.core.quantities import read_count, read_rate

Rate = Annotated[
    float | None,
    number(
        LOAD,
        "--rate",
        kind=read_rate,
        metavar="RATE",
        help="Send at a rate (50, 50/s, 100/m), whatever the endpoint does (open loop), for -n or -t; latency then "
        "counts from when a request was due, too.",
    ),
]
ArrivalsName = Annotated[
    str,
    option(
        LOAD,
        "--arrivals",
        metavar="constant|poisson",
        help="Evenly apart, or at random (by --seed) as those of independent users.",
    ),
]
Stages = Annotated[
    str | None,
    option(
        LOAD,
        "--stages",
        metavar="LIST",
        help="One after the other: '10s@c=1,30s@c=8' or '1m@rate=50,30s@rate=50..500'.",
    ),
]
Sweep = Annotated[
    str | None,
    option(
        LOAD,
        "--sweep",
        metavar="LIST",
        help="Step by step, -n or -t each: c=1,2,4,8 or rate=50,100,200; marks the knee. 'rows=1,10,100;c=1,4', -t "
        "each: finds the rows of a request, and the requests in flight, that score fastest and keep --slo.",
    ),
]
FindMax = Annotated[
    str | None,
    option(
        LOAD,
        "--find-max",
        metavar="'p99<250ms'",
        help="Search the highest rate that keeps this, for -t seconds at most. [default: 120]",
    ),
]
Warmup = Annotated[
    str | None,
    option(
        LOAD, "--warmup", metavar="N|Ns", help="Requests (100), or time (10s), before the measurement; reported apart."
    ),
]
UntilTight = Annotated[
    str | None,
    option(
        LOAD,
        "--until",
        metavar="'ci(p99)<5%'",
        help="Stop when the 95% interval is within 5% of p99 on either side; at -n or -t at the latest (600 s).",
    ),
]
Repeat = Annotated[
    int | None, number(LOAD, "--repeat", kind=read_count, metavar="K", help="Run K times, and report every run.")
]
Against = Annotated[
    str | None,
    option(LOAD, "--against", metavar="TARGET", help="With --repeat: after each run one of this target, A B A B."),
]
Strict = Annotated[bool, option(LOAD, "--strict", help="Exit 5 where the run is not valid.")]

Workers = Annotated[
    int | None,
    number(
        LOAD,
        "--workers",
        kind=int,
        metavar="W",
        help="Processes that make the load together: one plan, split among them; one report. Each has a request in "
        "flight, unless -c says.",
    ),
]
Cluster = Annotated[
    str | None,
    option(
        CLUSTER,
        "--cluster",
        metavar="ADDRESS",
        help="Dask scheduler whose workers do the work together: tls://HOST:PORT, on this machine tcp://HOST:PORT.",
    ),
]
ClusterCa = Annotated[
    str | None,
    option(
        CLUSTER,
        "--cluster-ca",
        metavar="FILE",
        help="Authority of the cluster's certificates (PEM). [default: Dask's configuration]",
    ),
]
ClusterCert = Annotated[
    str | None,
    option(
        CLUSTER, "--cluster-cert", metavar="FILE", help="Own certificate for the cluster (PEM). [default: likewise]"
    ),
]
ClusterKey = Annotated[
    str | None,
    option(CLUSTER, "--cluster-key", metavar="FILE", help="Its key (PEM), where it is not in the same file."),
]
InsecureCluster = Annotated[
    bool,
    option(CLUSTER, "--insecure-cluster", help="Go to a tcp:// scheduler of another machine, without encryption."),
]
