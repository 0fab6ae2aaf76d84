"""The address of a Dask cluster's scheduler, and the settings of the connection to it."""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from epkit.errors import UsageError

ENCRYPTED: Final = frozenset({"tls", "wss"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """A scheduler.

    Args:
        address: in Dask's notation, `tcp://host:port` or `tls://host:port`.
        ca: file with the authority that signs the cluster's certificates (PEM).
        cert: file with the client's certificate (PEM).
        key: file with its key, if it is not in *cert*. Dask's configuration is used for a value of None.
        insecure: allow an unencrypted connection, also to other machines.
    """

    address: str
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    insecure: bool = False

    @classmethod
    def given(
        cls, address: str | None, *, ca: str | None, cert: str | None, key: str | None, insecure: bool
    ) -> Self | None:
        """Read the flags; return None if no cluster is given.

        Raises:
            UsageError: the flags contradict each other, or the address is not valid.
        """
        files = {"--cluster-ca": ca, "--cluster-cert": cert, "--cluster-key": key}
        first = next((flag for flag, file in files.items() if file is not None), None)
        if address is None:
            if (flag := "--insecure-cluster" if insecure else first) is not None:
                raise UsageError(f"{flag} needs --cluster: the address of a Dask scheduler")
            return None
        made = cls(
            address=address if "://" in address else f"tcp://{address}", ca=ca, cert=cert, key=key, insecure=insecure
        )
        if made.host is None:
            raise UsageError(f"--cluster {address}: not an address: tcp://HOST:PORT or tls://HOST:PORT is expected")
        if first is not None and not made.is_encrypted:
            raise UsageError(f"{first} is for tls:// addresses, and --cluster {made.address} is not encrypted")
        if insecure and made.is_encrypted:
            raise UsageError(f"--insecure-cluster contradicts --cluster {made.address}, which is encrypted")
        return made

    @property
    def host(self) -> str | None:
        """The scheduler's host; None if the address has none."""
        try:
            return urlsplit(self.address).hostname
        except ValueError:
            return None

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection to it is encrypted."""
        return urlsplit(self.address).scheme in ENCRYPTED
