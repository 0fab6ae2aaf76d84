"""Sealed frames: only the next frame of the other side can be opened."""

import pytest

pytest.importorskip("nacl", reason="needs the extra cluster")

from nacl.public import PrivateKey

from epkit.engines.workers.sealing import FOREIGN, Seal
from epkit.engines.workers.values import MalformedError


@pytest.fixture
def sides():
    user, worker = PrivateKey.generate(), PrivateKey.generate()
    return (
        Seal(user, bytes(worker.public_key), is_worker=False),
        Seal(worker, bytes(user.public_key), is_worker=True),
    )


def refused(seal, frame):
    with pytest.raises(MalformedError) as said:
        seal.open(frame)
    assert FOREIGN == str(said.value)


def test_frames_go_both_ways_and_cannot_be_read_between(sides):
    user, worker = sides
    for number in range(3):
        frame = b"key and rows %d" % number
        there, back = user.close(frame), worker.close(frame)
        assert frame not in there + back
        assert there != back, "the two number their frames apart"
        assert frame == worker.open(there) == user.open(back)


def test_what_a_stranger_made_changed_repeated_or_left_out_is_refused(sides):
    user, worker = sides
    stranger = Seal(PrivateKey.generate(), bytes(PrivateKey.generate().public_key), is_worker=True)
    first, second, third = (worker.close(text) for text in (b"first", b"second", b"third"))
    for forged in (stranger.close(b"forged"), b"", b"x" * 40, first[:-1] + bytes([first[-1] ^ 1]), user.close(b"own")):
        refused(user, forged)
    assert b"first" == user.open(first)
    refused(user, first)
    refused(user, third)
    assert b"second" == user.open(second), "what was refused has changed nothing"
