"""Files that are sent to workers on other machines."""

from pathlib import Path

import pytest

from epkit.core.http.destination import Destination, Tls
from epkit.errors import UsageError
from epkit.flows.crew.carried import read, renamed, unpacked


def destination(**tls):
    return Destination(scheme="https", host="example.org", port=443, tls=Tls(**tls))


def test_files_arrive_as_they_were_and_nobody_else_may_read_them(tmp_path):
    authorities, client, other = (tmp_path / name for name in ("ca.pem", "client.pem", "golden.json"))
    for path in (authorities, client, other):
        path.write_bytes(path.name.encode())
    sent = destination(cacert=str(authorities), client_cert=str(client))
    with unpacked(read(sent, str(other), None)) as here:
        tls = renamed(sent, here).tls
        places = [Path(place) for place in (tls.cacert, tls.client_cert, here(str(other)))]
        found = [(place.read_bytes(), oct(place.stat().st_mode & 0o777)) for place in places]

    assert [(b"ca.pem", "0o600"), (b"client.pem", "0o600"), (b"golden.json", "0o600")] == found
    assert here(None) is None
    assert not any(place.exists() for place in places)


def test_where_no_files_travel_their_names_stay():
    sent = destination(cacert="ca.pem")
    with unpacked({}) as here:
        assert sent == renamed(sent, here)


def test_a_file_that_cannot_be_read_is_named():
    with pytest.raises(UsageError, match=r"^nowhere/ca\.pem: cannot be read: No such file or directory$"):
        read(destination(cacert="nowhere/ca.pem"))
