"""The options of `bench` for more than a number of requests: rates, stages, searches and repeated runs."""

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
        help="Send at this rate (50, 50/s, 100/m), however fast the endpoint answers (open loop), for -n or -t. "
        "Latency is then also measured from the time when a request was due.",
    ),
]
ArrivalsName = Annotated[
    str,
    option(
        LOAD,
        "--arrivals",
        metavar="constant|poisson",
        help="Space the requests evenly, or at random (by --seed) as independent users do.",
    ),
]
Stages = Annotated[
    str | None,
    option(
        LOAD,
        "--stages",
        metavar="LIST",
        help="Run these stages one after the other: '10s@c=1,30s@c=8' or '1m@rate=50,30s@rate=50..500'.",
    ),
]
Sweep = Annotated[
    str | None,
    option(
        LOAD,
        "--sweep",
        metavar="LIST",
        help="Raise the load in steps, each for -n or -t: c=1,2,4,8 or rate=50,100,200; marks the knee. "
        "'rows=1,10,100;c=1,4', each for -t: find the rows per request and the requests in flight that score fastest "
        "and meet --slo.",
    ),
]
FindMax = Annotated[
    str | None,
    option(
        LOAD,
        "--find-max",
        metavar="'p99<250ms'",
        help="Search for the highest rate that meets this objective, for at most -t seconds. [default: 120]",
    ),
]
Warmup = Annotated[
    str | None,
    option(
        LOAD,
        "--warmup",
        metavar="N|Ns",
        help="Warm up with this many requests (100), or for this time (10s), "
        "before the measurement; reported separately.",
    ),
]
UntilTight = Annotated[
    str | None,
    option(
        LOAD,
        "--until",
        metavar="'ci(p99)<5%'",
        help="Stop when the 95% interval of p99 is within 5% on either side, at the latest after -n or -t (600 s).",
    ),
]
Repeat = Annotated[
    int | None, number(LOAD, "--repeat", kind=read_count, metavar="K", help="Run K times, and report every run.")
]
Against = Annotated[
    str | None,
    option(
        LOAD,
        "--against",
        metavar="TARGET",
        help="With --repeat: after each run, run once against this target (A B A B).",
    ),
]
Strict = Annotated[bool, option(LOAD, "--strict", help="Exit 5 if the run is not valid.")]

Workers = Annotated[
    int | None,
    number(
        LOAD,
        "--workers",
        kind=int,
        metavar="W",
        help="Number of processes that share one plan and make one report. Without -c, each has one request in flight.",
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
    option(CLUSTER, "--cluster-key", metavar="FILE", help="Its key (PEM), if it is not in the same file."),
]
InsecureCluster = Annotated[
    bool,
    option(CLUSTER, "--insecure-cluster", help="Allow a tcp:// scheduler on another machine, which is not encrypted."),
]
