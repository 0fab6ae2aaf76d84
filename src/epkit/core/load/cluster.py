"""Where the scheduler of a Dask cluster is, and how it is reached."""

from dataclasses import dataclass
from typing import Final, Self
from urllib.parse import urlsplit

from epkit.errors import UsageError

ENCRYPTED: Final = frozenset({"tls", "wss"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """A scheduler.

    Args:
        address: as Dask writes it, `tcp://host:port` or `tls://host:port`.
        ca: file with the authority that signs the cluster's certificates (PEM).
        cert: file with our certificate (PEM).
        key: file with its key, where it is not in *cert*. What is None is what Dask's configuration says.
        insecure: connect without encryption, to other machines too.
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
        """Read what the flags say; None where no cluster is asked for.

        Raises:
            UsageError: they do not go together, or the address is none.
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
        """The scheduler's host, None where the address names none."""
        try:
            return urlsplit(self.address).hostname
        except ValueError:
            return None

    @property
    def is_encrypted(self) -> bool:
        """Whether the connection to it is."""
        return urlsplit(self.address).scheme in ENCRYPTED
