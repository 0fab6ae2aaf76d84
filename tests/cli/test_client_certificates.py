"""Client certificates from the command line: keys with a password, wrong files, and a missing certificate."""

import contextlib
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509 import load_pem_x509_certificate

from epkit.cli import terminal
from epkit.engines.httpx import HttpxEngine
from support import certificates
from support.canary import CANARY
from support.cli_harness import complaint

NAMED = "EPKIT_CERT_PASSWORD"


@pytest.fixture
def locked(cli, fault_server):
    """A client's certificate with a key that the canary encrypts, by the PEM format of the key."""
    data = Path(fault_server.client_cert).read_bytes()
    key = serialization.load_pem_private_key(data, None)
    chain = data[data.index(b"-----BEGIN CERTIFICATE-----") :]
    encryption = serialization.BestAvailableEncryption(CANARY.encode())
    made = {}
    for name, form in (("pkcs8", "PKCS8"), ("old", "TraditionalOpenSSL")):
        pem = key.private_bytes(serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption)
        made[name] = cli.directory / f"{name}.pem"
        made[name].write_bytes(pem + chain)
    made["pfx"] = cli.directory / "client.pfx"
    made["pfx"].write_bytes(
        pkcs12.serialize_key_and_certificates(None, key, load_pem_x509_certificate(chain), None, encryption)
    )
    return made


@pytest.fixture
def bench(cli, rows, fault_server):
    more = ["-p", rows, "--no-validate", "-n", 4, "-c", 2, "--cacert", fault_server.cacert]
    return lambda *flags: cli("bench", *more, *flags, fault_server.url("ok", tls="mutual"))


@pytest.mark.parametrize("form", ["pkcs8", "old"])
@pytest.mark.parametrize("more", [(), ("--engine", "httpx"), ("--workers", 2)])
def test_the_password_of_a_key_comes_from_the_environment(cli, bench, locked, form, more):
    cli.environ[NAMED] = CANARY
    ran = bench("-E", locked[form], *more)

    assert (0, [f"epkit: {locked[form]}: its key is opened with {NAMED}"]) == (ran.code, ran.lines), ran.err


def test_every_command_opens_the_key(cli, rows, fault_server, locked):
    cli.environ[NAMED] = CANARY
    flags = ["--cacert", fault_server.cacert, "-E", locked["pkcs8"]]
    url = fault_server.url("ok", tls="mutual")

    for command in (["check", "-p", rows, url], ["score", rows, "--no-validate", "--target", url]):
        ran = cli(*command, *flags)
        assert 0 == ran.code, ran.out + ran.err
        assert f"epkit: {locked['pkcs8']}: its key is opened with {NAMED}" in ran.lines


def test_without_a_password_and_without_a_terminal_the_variable_is_named(bench, locked):
    message = complaint(bench("-E", locked["pkcs8"]), 2)

    assert f"{locked['pkcs8']}: its key is encrypted: put its password into {NAMED}" == message


def test_a_password_that_does_not_fit_is_said(cli, bench, locked):
    cli.environ[NAMED] = "another-password"
    ran = bench("-E", locked["old"])

    assert 2 == ran.code
    assert f"epkit: {locked['old']}: the password does not open its key" == ran.lines[-1]
    assert "another-password" not in ran.err


def test_at_a_terminal_it_is_asked_for_once(cli, rows, fault_server, locked, monkeypatch):
    asked = []
    make = terminal.context

    def answer(prompt):
        asked.append(prompt)
        return CANARY

    def context():
        from dataclasses import replace

        return replace(make(), ask=answer)

    monkeypatch.setattr(terminal, "context", context)
    more = ["-p", rows, "--no-validate", "-n", 2, "--cacert", fault_server.cacert, "-E", locked["pkcs8"], "--repeat", 2]
    ran = cli("bench", *more, fault_server.url("ok", tls="mutual"))

    assert (0, [f"Password of the key in {locked['pkcs8']}: "]) == (ran.code, asked), ran.err


def test_a_file_in_pkcs12_is_named_with_how_to_convert_it(bench, locked):
    message = complaint(bench("-E", locked["pfx"]), 2)

    assert (
        f"{locked['pfx']}: not PEM but PKCS#12 or DER: convert it with openssl pkcs12 -in client.pfx -out client.pem"
        == message
    )


@contextlib.contextmanager
def wanting(files) -> Iterator[str]:
    """A server that requires a client's certificate, by an alert after the handshake of TLS 1.3."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    sock.settimeout(10)
                    context = files.contexts["mutual"]
                    with context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False) as secured:
                        with contextlib.suppress(ssl.SSLError):
                            secured.do_handshake()
                        time.sleep(0.2)  # closing at once, with unread bytes, would lose the alert

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}/score"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@pytest.mark.parametrize("engine", ["wire", "httpx"])
def test_a_server_that_wants_a_certificate_is_a_failure_of_each_request(cli, rows, tmp_path_factory, engine):
    files = certificates.make(tmp_path_factory.mktemp("ca"))
    with wanting(files) as url:
        more = ["-p", rows, "--no-validate", "-n", 3, "--cacert", files.cacert, "--engine", engine, "--format", "json"]
        ran = cli("bench", *more, url)

    assert 4 == ran.code
    assert {"transport": 3} == ran.failures
    assert "certificate required" in ran.report["failures"][0]["detail"]
    assert ran.report["failures"][0]["advice"].startswith("the server requires a client certificate")


def test_whatever_a_library_raises_is_the_failure_of_its_request(cli, rows, fault_server, monkeypatch):
    async def broken(*_):
        raise KeyError("stream 7")

    monkeypatch.setattr(HttpxEngine, "_read", broken)
    ran = cli(
        "bench", "-p", rows, "--no-validate", "-n", 3, "--engine", "httpx", "--format", "json", fault_server.url("ok")
    )

    assert (4, {"transport": 3}) == (ran.code, ran.failures)
    assert "KeyError: 'stream 7'" in ran.report["failures"][0]["detail"]
