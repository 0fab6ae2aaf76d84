"""Whether a host is an address, or this machine, is decided by its text and not by the DNS."""

import pytest

from epkit.core.http.addresses import is_address, is_loopback


@pytest.mark.parametrize(
    ("host", "address", "loopback"),
    [
        ("127.0.0.1", True, True),
        ("127.0.0.2", True, True),
        ("127.255.255.254", True, True),
        ("::1", True, True),
        ("[::1]", True, True),
        ("0:0:0:0:0:0:0:1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("localhost", False, True),
        ("LocalHost", False, True),
        ("0.0.0.0", True, False),
        ("::", True, False),
        ("::ffff:10.0.0.1", True, False),
        ("10.0.0.1", True, False),
        ("128.0.0.1", True, False),
        ("[127.0.0.1", False, False),
        ("127.example.com", False, False),
        ("127.0.0.1.example.com", False, False),
        ("localhost.", False, False),
        ("[127.0.0.1]", False, False),
        ("localhost.example.com", False, False),
        ("notlocalhost", False, False),
        ("", False, False),
    ],
)
def test_a_host_is_known_by_its_text(host: str, address: bool, loopback: bool) -> None:
    assert (address, loopback) == (is_address(host), is_loopback(host))
