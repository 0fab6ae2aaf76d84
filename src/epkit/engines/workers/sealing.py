"""Frames between a user's machine and a worker's process that nobody between can read, change, repeat or leave out.

Each side makes a key pair for the run. A frame is encrypted and authenticated by both pairs (libsodium's box), and its
nonce is its number, which is not sent: a frame that is not the next one of the other side cannot be opened.
"""

from typing import Final

from nacl.bindings import crypto_box_NONCEBYTES
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from epkit.engines.workers.values import MalformedError

KEY_BYTES: Final = PublicKey.SIZE
FOREIGN: Final = "a frame was forged, repeated or left out on its way through the cluster, and is refused"


class Seal:
    """One side's frames to the other, and the other's.

    Args:
        mine: own pair.
        theirs: the other side's public key.
        is_worker: which side this is; the two number their frames apart.
    """

    def __init__(self, mine: PrivateKey, theirs: bytes, *, is_worker: bool) -> None:
        self._box = Box(mine, PublicKey(theirs))
        self._sent, self._received = (1, 0) if is_worker else (0, 1)

    def close(self, frame: bytes) -> bytes:
        """Encrypt the next frame."""
        nonce, self._sent = _nonce(self._sent), self._sent + 2
        return bytes(self._box.encrypt(frame, nonce).ciphertext)

    def open(self, sealed: bytes) -> bytes:
        """Decrypt the next frame of the other side.

        Raises:
            MalformedError: it is not that frame.
        """
        try:
            frame = self._box.decrypt(sealed, _nonce(self._received))
        except (CryptoError, ValueError, TypeError):
            raise MalformedError(FOREIGN) from None
        self._received += 2
        return bytes(frame)


def _nonce(number: int) -> bytes:
    return number.to_bytes(crypto_box_NONCEBYTES, "little")
