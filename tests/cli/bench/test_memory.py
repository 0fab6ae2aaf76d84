"""Memory does not grow with the number of requests, whatever the server sends."""

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="asks the system for the peak")


@pytest.mark.parametrize(
    ("name", "many", "flags", "tls"),
    [
        ("endless-body", 40, [], None),
        ("endless-body", 40, ["--insecure"], "valid"),
        ("endless-header", 40, [], None),
        ("ok-large", 200, ["--no-keepalive"], None),
        ("ok-large", 200, [], None),
    ],
)
def test_memory_is_flat(cli, rows, fault_server, name, many, flags, tls):
    def peak_mib(requests):
        ran = cli.spawn(
            "bench", "--no-validate", "--check", "status", "--format", "json", "-c", 4, "-n", requests, "-p", rows,
            *flags, fault_server.url(name, tls=tls),
        )  # fmt: skip

        assert requests == ran.report["counts"]["sent"], ran.err
        return ran.peak_kib / 1024

    assert peak_mib(many) - peak_mib(8) < 64
