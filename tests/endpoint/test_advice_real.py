"""The texts that select the advice are those of this machine's OpenSSL and sockets."""

import datetime
import socket
import ssl

import pytest
import trustme

from epkit.core.samples.rows import Failure
from epkit.endpoint.advice import advise_failure

CA = trustme.CA()
LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def handshake(client: ssl.SSLContext, cert: trustme.LeafCert | None, *, require: bool = False) -> str:
    """Shake hands in memory, and return the error of the client's side."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    near = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    if cert is None:
        to_client.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        far = None
    else:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert.configure_cert(context)
        if require:
            context.verify_mode = ssl.CERT_REQUIRED
            CA.configure_trust(context)
        far = context.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        try:
            near.do_handshake()
            near.read(1)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            return str(error)
        if far is not None:
            try:
                far.do_handshake()
            except ssl.SSLError:
                continue
    return "no failure"


def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    CA.configure_trust(context)
    return context


@pytest.mark.parametrize(
    ("client", "cert", "require", "advice"),
    [
        (ssl.create_default_context, CA.issue_cert("localhost"), False, "--cacert"),
        (trusting, CA.issue_cert("elsewhere.example"), False, "is for another name"),
        (trusting, CA.issue_cert("localhost", not_before=LONG_AGO, not_after=LONG_AGO), False, "has expired"),
        (trusting, CA.issue_cert("localhost"), True, "-E FILE"),
        (trusting, None, False, "does not speak TLS"),
    ],
    ids=["unknown authority", "other name", "expired", "client certificate wanted", "plain HTTP"],
)
def test_what_openssl_says_is_understood(client, cert, require, advice):
    assert advice in advise_failure(Failure.TLS, handshake(client(), cert, require=require))


def test_what_a_closed_port_says_is_understood():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        with pytest.raises(OSError) as caught:
            socket.create_connection(listener.getsockname(), timeout=5)

    assert advise_failure(Failure.CONNECT, str(caught.value)).startswith("nothing listens there")


def test_what_a_missing_unix_socket_says_is_understood(tmp_path):
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(OSError) as caught:
        client.connect(str(tmp_path / "x"))

    assert "no such Unix socket" in advise_failure(Failure.CONNECT, str(caught.value))
