"""The destination of a request, and its Host header."""

from dataclasses import FrozenInstanceError

import pytest

from epkit.core.http.destination import Destination, Proxy, Tls
from support.canary import CANARY


@pytest.mark.parametrize(
    ("scheme", "host", "port", "authority"),
    [
        ("http", "example", 80, "example"),
        ("https", "example", 443, "example"),
        ("http", "example", 443, "example:443"),
        ("https", "example", 80, "example:80"),
        ("http", "127.0.0.1", 5001, "127.0.0.1:5001"),
        ("http", "::1", 80, "[::1]"),
        ("https", "fe80::1", 8443, "[fe80::1]:8443"),
    ],
)
def test_the_port_is_named_where_it_is_not_the_schemes_own(scheme, host: str, port: int, authority: str) -> None:  # type: ignore[no-untyped-def]
    assert authority == Destination(scheme=scheme, host=host, port=port).authority


def test_going_elsewhere_does_not_change_the_authority() -> None:
    to = Destination(scheme="http", host="h", port=80, connect_to=("127.0.0.1", 9), unix="socket", bind="127.0.0.2")

    assert to.authority == "h"


def test_certificates_are_verified_unless_told_otherwise() -> None:
    to = Destination(scheme="https", host="h", port=443)

    assert Tls(verify=True) == to.tls
    with pytest.raises(FrozenInstanceError):
        to.tls.verify = False  # type: ignore[misc]


def test_the_credentials_of_a_proxy_are_not_shown() -> None:
    to = Destination(
        scheme="http", host="h", port=80, proxy=Proxy(scheme="http", host="proxy", port=3128, authorization=CANARY)
    )

    assert CANARY not in repr(to)
