"""Limits of trust in a Dask cluster: strangers on the same scheduler, networks without TLS, certificates of others."""

import contextlib
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
import trustme

from epkit.core.load.cluster import ClusterAddress
from epkit.errors import UsageError
from support import foreign_client
from support.cli_harness import complaint
from support.dask_cluster import DaskCluster, until

pytest.importorskip("distributed", reason="needs the extra cluster")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")

REFUSED = "a frame was forged, repeated or left out on its way through the cluster, and is refused"


@pytest.fixture(scope="module")
def visited():
    """A cluster that others use, too."""
    with DaskCluster(2) as cluster:
        yield cluster


@contextlib.contextmanager
def stranger(address, how, made):
    """Connect another client, which does its work when it is called."""
    command = [sys.executable, foreign_client.__file__, address, how, str(made)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:

        def go():
            other.stdin.write(b"go\n")
            other.stdin.flush()
            assert b"done\n" == other.stdout.readline()

        try:
            assert b"ready\n" == other.stdout.readline()
            yield go
        finally:
            other.kill()


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("pickled", f"sent an invalid message: {REFUSED}"),
        ("unsealed", f"sent an invalid message: {REFUSED}"),
        ("huge", f"sent an invalid message: {REFUSED}"),
        ("repeated", f"sent an invalid message: {REFUSED}"),
        ("swallowed", f"sent an invalid message: {REFUSED}"),
        ("typed", "sent an invalid message: an answer that is not epkit's"),
        ("deep", "sent an invalid message: an answer that is not epkit's"),
        ("posted", f"ended with code 1: {REFUSED}"),
    ],
)
def test_a_frame_of_another_client_is_refused_in_a_line(cli, rows, fault_server, visited, tmp_path, how, why):
    made = tmp_path / "made-by-a-stranger"
    flags = ("-p", rows, "--no-validate", "-n", 400, "-c", 4, "--format", "json", "--cluster", visited.address)
    with (
        stranger(visited.address, how, made) as go,
        cli.start("bench", *flags, fault_server.url("gated?ms=20")) as process,
    ):
        until(lambda: fault_server.requests["gated"] >= 40, "requests are under way")
        fault_server.gate.clear()  # the run must not end before the stranger is there
        go()
        fault_server.gate.set()
        ran = cli.finished(process)

    lost = [worker["lost"] for worker in ran.report["workers"] if worker["lost"]]
    assert [why] == lost
    assert 1 == sum(why in line for line in ran.lines), ran.err
    assert not made.exists(), "nothing was unpickled"
    assert 200 <= ran.report["counts"]["ok"] < 400, "the other worker goes on"


# The connection to the scheduler.


@pytest.fixture(scope="module")
def authorities(tmp_path_factory) -> dict[str, Path]:
    """PEM files: of an authority and one of its certificates, and of a stranger's."""
    directory, files = tmp_path_factory.mktemp("authorities"), {}
    for owner in ("ours", "strangers"):
        authority = trustme.CA()
        certificate = authority.issue_cert("dask.example")
        files |= {name: directory / f"{name}.pem" for name in (f"{owner}-ca", f"{owner}-cert", f"{owner}-key")}
        authority.cert_pem.write_to_path(files[f"{owner}-ca"])
        certificate.private_key_pem.write_to_path(files[f"{owner}-key"])
        certificate.private_key_and_cert_chain_pem.write_to_path(files[f"{owner}-cert"])
    return files


@pytest.fixture(scope="module")
def encrypted(authorities):
    with DaskCluster(2, tls=(authorities["ours-ca"], authorities["ours-cert"])) as cluster:
        yield cluster


def flags(authorities, *, ca: str = "ours", cert: str = "ours") -> list[object]:
    return ["--cluster-ca", authorities[f"{ca}-ca"], "--cluster-cert", authorities[f"{cert}-cert"],
            "--cluster-key", authorities[f"{cert}-key"]]  # fmt: skip


def test_a_cluster_with_tls_does_the_work(cli, rows, fault_server, encrypted, authorities):
    more = ("--cluster", encrypted.address, *flags(authorities), fault_server.url("ok"))
    ran = cli.spawn("bench", "-p", rows, "-n", 8, "-c", 4, "--format", "json", *more)

    assert (0, []) == (ran.code, ran.lines), ran.err
    assert (8, 2) == (ran.report["counts"]["ok"], len(ran.report["workers"]))


def test_dasks_own_configuration_names_the_certificates(cli, rows, fault_server, encrypted, authorities):
    cli.environ |= {
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(authorities["ours-ca"]),
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": str(authorities["ours-cert"]),
    }
    found = cli.spawn("bench", "-p", rows, "-n", 4, "-c", 2, "--cluster", encrypted.address, fault_server.url("ok"))

    assert 0 == found.code, found.err


def test_a_peer_of_another_authority_cannot_connect(cli, rows, fault_server, encrypted, authorities):
    cli.environ["DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT"] = "2s"
    more = ("--cluster", encrypted.address, *flags(authorities, cert="strangers"), fault_server.url("ok"))
    found = complaint(cli.spawn("bench", "-p", rows, *more), 2)

    assert found.startswith(f"--cluster {encrypted.address}: no scheduler answers there")
    assert 0 == fault_server.connections


def test_a_peer_without_a_certificate_cannot_connect(cli, rows, fault_server, encrypted, authorities):
    more = ("--cluster", encrypted.address, *flags(authorities)[:2], fault_server.url("ok"))
    found = complaint(cli.spawn("bench", "-p", rows, *more), 2)

    assert found.startswith(f"--cluster {encrypted.address}: certificates are missing: ")
    # A client without Dask cannot connect either: the scheduler closes the connection as soon as it notices.
    context = ssl.create_default_context(cafile=str(authorities["ours-ca"]))
    context.check_hostname = False
    host, _, port = encrypted.address.removeprefix("tls://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=10) as plain, context.wrap_socket(plain) as secured:
        said = b""
        with contextlib.suppress(ssl.SSLError, ConnectionError):  # an alert, or a reset
            said = secured.recv(1)
        assert b"" == said


def test_a_scheduler_of_another_authority_is_refused_in_a_line(cli, rows, fault_server, encrypted, authorities):
    more = ("--cluster", encrypted.address, *flags(authorities, ca="strangers"), fault_server.url("ok"))
    found = complaint(cli.spawn("bench", "-p", rows, *more), 2)

    assert (
        f"--cluster {encrypted.address}: the scheduler's certificate is not signed by the authority that is trusted: "
        "--cluster-ca"
    ) == found
    assert 0 == fault_server.connections


def test_certificates_that_are_missing_or_none_are_told_in_a_line(cli, rows, fault_server, authorities):
    address = "tls://127.0.0.1:1"
    url = fault_server.url("ok")
    none = complaint(cli.spawn("bench", "-p", rows, "--cluster", address, url), 2)
    gone = complaint(cli.spawn("bench", "-p", rows, "--cluster", address, "--cluster-ca", "gone.pem", url), 2)
    mixed = ("--cluster-ca", rows, "--cluster-cert", authorities["ours-cert"])
    bad = complaint(cli.spawn("bench", "-p", rows, "--cluster", address, *mixed, url), 2)

    assert none.startswith(f"--cluster {address}: certificates are missing: --cluster-ca, --cluster-cert")
    assert "--cluster-ca gone.pem: no such file" == gone
    assert bad.startswith(f"--cluster {address}: the certificates cannot be used (--cluster-ca")


@pytest.mark.parametrize("address", ["tcp://10.213.99.1:8786", "10.213.99.1:8786", "tcp://epkit.invalid:8786"])
def test_another_machine_without_tls_is_refused_unless_it_is_meant(cli, rows, fault_server, address):
    for command in (("bench", "-p", rows), ("score", rows, "--wrap", "data", "--target")):
        found = complaint(cli(*command, fault_server.url("ok"), "--cluster", address), 2)
        assert found == (
            f"--cluster {address if '//' in address else 'tcp://' + address}: the connection is not encrypted, and "
            f"anyone on the network between can run code on this machine: use tls:// with --cluster-ca, "
            f"--cluster-cert and "
            "--cluster-key, or --insecure-cluster in a network that you trust"
        )
    assert 0 == fault_server.connections


def test_a_name_of_this_machine_needs_no_flag(cli, rows, fault_server, visited):
    address = visited.address.replace("127.0.0.1", "localhost")
    assert 0 == cli.spawn("bench", "-p", rows, "-n", 2, "-c", 2, "--cluster", address, fault_server.url("ok")).code


@pytest.mark.parametrize(
    ("address", "more", "why"),
    [
        (None, {"ca": "f"}, "--cluster-ca needs --cluster: the address of a Dask scheduler"),
        (None, {"insecure": True}, "--insecure-cluster needs --cluster: the address of a Dask scheduler"),
        ("tcp://h:1", {"key": "f"}, "--cluster-key is for tls:// addresses, and --cluster tcp://h:1 is not encrypted"),
        ("tls://h:1", {"insecure": True}, "--insecure-cluster contradicts --cluster tls://h:1, which is encrypted"),
        ("tcp://", {}, "--cluster tcp://: not an address: tcp://HOST:PORT or tls://HOST:PORT is expected"),
        ("tcp://[h:1", {}, "--cluster tcp://[h:1: not an address: tcp://HOST:PORT or tls://HOST:PORT is expected"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(address, more, why):
    with pytest.raises(UsageError) as refused:
        ClusterAddress.given(address, **{"ca": None, "cert": None, "key": None, "insecure": False, **more})

    assert why == str(refused.value)
