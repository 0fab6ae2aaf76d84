"""The `epkit score` command at the end of a sweep of batch sizes: options of both commands, quoted, without secrets."""

import shlex

import pytest

from epkit.core.http.destination import Tls
from epkit.core.load.cluster import ClusterAddress
from epkit.core.load.grid import PointSpec
from epkit.files.dialects import TableOptions
from epkit.flows.bench.options import BenchOptions
from epkit.flows.bench.score_line import not_said, score_line
from epkit.flows.target.request_options import RequestOptions

POINT = PointSpec(rows=100, concurrency=4)


def line(body_bytes=1000, request=None, **more):
    return score_line(
        BenchOptions(request=request or RequestOptions(payloads=("rows.csv",)), **more), POINT, body_bytes
    )


def test_a_target_that_is_not_named_is_not_named_again():
    assert "epkit score rows.csv --batch-rows 100 -c 4" == line()


def test_rows_that_were_made_up_are_a_file_of_the_users():
    options = BenchOptions(request=RequestOptions())

    assert "epkit score FILE --batch-rows 100 -c 4" == score_line(options, POINT, 1)
    assert ["FILE is the file with your rows: those of the sweep were made of the contract"] == not_said(options)


def test_every_flag_that_score_knows_is_in_the_line():
    request = RequestOptions(
        payloads=("my rows.csv",), headers=(("X-Team", "blue"),), deployment="green", schema="c.json", operation="/v2",
        predictions_at="/out", validate=False, wrap="Inputs.data", proxy="http://me:pw@proxy:1",
        table=TableOptions(carry=("id", "a,b"), drop=("x",), encoding="cp1252", decimal=",", header=False),
    )  # fmt: skip
    tls = Tls(verify=False, cacert="ca.pem", client_cert="me.pem", ciphers="HIGH", version="TLS1.2")
    cluster = ClusterAddress(address="tls://h:1", ca="a.pem", cert="b.pem", key="c.pem")
    words = shlex.split(
        line(request=request, target="prod", key_file="key", timeout_s=2.5, tls=tls, workers=2, cluster=cluster)
    )

    assert [
        "epkit", "score", "my rows.csv", "--target", "prod", "--key-file", "key", "-H", "X-Team: blue",
        "--deployment", "green", "-s", "2.5", "-X", "http://***@proxy:1", "--cacert", "ca.pem", "--insecure",
        "-E", "me.pem", "-f", "TLS1.2", "-Z", "HIGH", "--workers", "2", "--cluster", "tls://h:1",
        "--cluster-ca", "a.pem", "--cluster-cert", "b.pem", "--cluster-key", "c.pem",
        "--schema", "c.json", "--path", "/v2", "--predictions-at", "/out", "--no-validate", "--wrap", "Inputs.data",
        "--carry", "id", "--carry", '"a,b"', "--drop", "x", "--encoding", "cp1252", "--decimal", ",", "--no-header",
        "--batch-rows", "100", "-c", "4",
    ] == words  # fmt: skip


@pytest.mark.parametrize(
    ("body_bytes", "flags"),
    [(1_500_000, []), (1_500_001, ["--batch-bytes", "2000000"]), (7_900_000, ["--batch-bytes", "10000000"])],
)
def test_bodies_that_score_would_cut_raise_its_limit(body_bytes, flags):
    assert flags == shlex.split(line(body_bytes))[7:]


def test_what_the_line_leaves_out_is_said():
    request = RequestOptions(payloads=("rows.csv",), basic="me:pw", cookies=("a=b",), keepalive=False)
    options = BenchOptions(request=request, http2=True)

    assert [
        "the line leaves out -A, -C, --no-keepalive, --http2, which epkit score does not know or which are secret"
    ] == (not_said(options))
