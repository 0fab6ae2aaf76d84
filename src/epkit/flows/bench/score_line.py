"""The `epkit score` command with the best batch size of a sweep. It has the options of both commands, and no secret."""

import shlex
from collections.abc import Iterator
from typing import Final

from epkit.core.http.masking import mask_header, mask_url
from epkit.core.load.grid import PointSpec
from epkit.flows.bench.options import BenchOptions

BATCH_BYTES: Final = 1_500_000
"""The largest body that `epkit score` makes by default (`--batch-bytes`)."""

FILE: Final = "FILE"
"""Placeholder for the rows, if the sweep generated its rows."""


def score_line(options: BenchOptions, point: PointSpec, body_bytes: int) -> str:
    """Return the command line.

    Args:
        options: the options of the sweep.
        point: the best point.
        body_bytes: the size of its longest body.
    """
    words = ["epkit", "score", options.request.payloads[0] if options.request.payloads else FILE]
    words += _reaching(options)
    words += _shaping(options)
    words += ["--batch-rows", str(point.rows), "-c", str(point.concurrency)]
    if body_bytes > BATCH_BYTES:
        words += ["--batch-bytes", str(-(-body_bytes * 5 // 4_000_000) * 1_000_000)]
    return shlex.join(words)


def not_said(options: BenchOptions) -> list[str]:
    """List what the line leaves out: credentials, and options that only `bench` has."""
    request = options.request
    given = {
        "-A": request.basic is not None,
        "-C": bool(request.cookies),
        "-T": request.content_type is not None,
        "-m": request.method is not None,
        "-P": request.proxy_basic is not None,
        "--no-keepalive": not request.keepalive,
        "--connect-to": options.connect_to is not None,
        "-B": options.bind is not None,
        "-b": options.buffer_bytes is not None,
        "-I": not options.sni,
        "--engine": options.engine is not None,
        "--http2": options.http2,
    }
    notes = []
    if left := [flag for flag, there in given.items() if there]:
        notes.append(f"the line leaves out {', '.join(left)}, which epkit score does not know or which are secret")
    if not request.payloads:
        notes.append(f"{FILE} is the file with your rows: those of the sweep were made of the contract")
    return notes


def _reaching(options: BenchOptions) -> Iterator[str]:
    """Yield the flags that name the target and say how to reach it."""
    request, tls, cluster = options.request, options.tls, options.cluster
    yield from _flag("--target", None if options.target is None else mask_url(options.target))
    yield from _flag("--key-file", options.key_file)
    for name, value in request.headers:
        yield from ("-H", f"{name}: {mask_header(name, value)}")
    yield from _flag("--deployment", request.deployment)
    yield from _flag("-s", None if options.timeout_s is None else f"{options.timeout_s:g}")
    yield from _flag("-X", None if request.proxy is None else mask_url(request.proxy))
    yield from _flag("--cacert", tls.cacert)
    yield from ["--insecure"] * (not tls.verify)
    yield from _flag("-E", tls.client_cert)
    yield from _flag("-f", tls.version)
    yield from _flag("-Z", tls.ciphers)
    yield from _flag("--workers", None if options.workers is None else str(options.workers))
    if cluster is not None:
        yield from _flag("--cluster", mask_url(cluster.address))
        yield from _flag("--cluster-ca", cluster.ca)
        yield from _flag("--cluster-cert", cluster.cert)
        yield from _flag("--cluster-key", cluster.key)
        yield from ["--insecure-cluster"] * cluster.insecure


def _shaping(options: BenchOptions) -> Iterator[str]:
    """Yield the flags that define the rows and the wrapping."""
    request = options.request
    table = request.table
    yield from _flag("--schema", None if request.schema is None else mask_url(request.schema))
    yield from _flag("--path", request.operation)
    yield from _flag("--predictions-at", request.predictions_at)
    yield from ["--no-validate"] * (not request.validate)
    yield from _flag("--wrap", request.wrap)
    for flag, columns in (("--carry", table.carry), ("--drop", table.drop)):
        for name in columns:
            yield from _flag(flag, f'"{name}"' if "," in name else name)
    yield from _flag("--encoding", table.encoding)
    yield from _flag("--decimal", table.decimal)
    yield from ["--no-header"] * (not table.header)


def _flag(name: str, value: str | None) -> list[str]:
    return [] if value is None else [name, value]
