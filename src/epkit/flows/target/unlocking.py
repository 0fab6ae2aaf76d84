"""Encrypted keys of client certificates: the password comes from the environment, or the user is asked once."""

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import Final

from epkit.core.http.destination import Tls
from epkit.core.http.secret import Secret
from epkit.errors import UsageError
from epkit.flows.context import Context
from epkit.reading import CERTIFICATES, read_whole

VARIABLE: Final = "EPKIT_CERT_PASSWORD"
"""The variable for the password of the key in `-E`."""

ENCRYPTED: Final = (b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"Proc-Type: 4,ENCRYPTED")
"""Marks of an encrypted key in a PEM file (RFC 7468 § 11; RFC 1421 § 4.6.1.1, the older form of OpenSSL)."""


def unlocked(tls: Tls, context: Context) -> Tls:
    """Return the TLS options with the password of the client's key, if the key is encrypted.

    Raises:
        UsageError: there is no password.
    """
    file = tls.client_cert
    if file is None or tls.client_password is not None or not _is_encrypted(file):
        return tls
    password = context.environ.get(VARIABLE)
    if password is not None:
        context.note(f"{file}: its key is opened with {VARIABLE}")
    elif (password := context.passwords.get(file)) is None:
        if context.ask is None:
            raise UsageError(f"{file}: its key is encrypted: put its password into {VARIABLE}")
        password = context.passwords[file] = context.ask(f"Password of the key in {file}: ")
    context.know([Secret(password)])
    return replace(tls, client_password=password)


def _is_encrypted(file: str) -> bool:
    data = b""
    with contextlib.suppress(OSError):  # the code that loads the file reports the error
        data = read_whole(Path(file), CERTIFICATES, name=file)
    return any(mark in data for mark in ENCRYPTED)
