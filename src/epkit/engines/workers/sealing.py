"""Seals frames between a user's machine and a worker's process: no one between can read, change, repeat or drop them.

Each side makes a key pair for the run. A frame is encrypted and authenticated with both pairs (libsodium's box). Its
nonce is its number, which is not sent: only the next frame of the other side can be opened.
"""

from typing import Final

from nacl.bindings import crypto_box_NONCEBYTES
from nacl.exceptions import CryptoError
from nacl.public import Box, PrivateKey, PublicKey

from epkit.engines.workers.values import MalformedError

KEY_BYTES: Final = PublicKey.SIZE
FOREIGN: Final = "a frame was forged, repeated or left out on its way through the cluster, and is refused"


class Seal:
    """Encrypts one side's frames, and decrypts the other side's.

    Args:
        mine: own key pair.
        theirs: the other side's public key.
        is_worker: which side this is; each side has its own numbers.
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
            MalformedError: it is not the next frame.
        """
        try:
            frame = self._box.decrypt(sealed, _nonce(self._received))
        except (CryptoError, ValueError, TypeError):
            raise MalformedError(FOREIGN) from None
        self._received += 2
        return bytes(frame)


def _nonce(number: int) -> bytes:
    return number.to_bytes(crypto_box_NONCEBYTES, "little")
