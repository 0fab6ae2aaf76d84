"""Certificates for loopback servers: a good one, and one for each kind of fault."""

import datetime
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

NAMES = ("localhost", "127.0.0.1", "::1")
WRONG_NAME = "elsewhere.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """The certificates of a TLS server and its clients.

    Args:
        cacert: PEM file of the authority that signed all certificates except the self-signed one.
        client_cert: PEM file with a client's certificate and key, of the same authority.
        contexts: server contexts by name: valid, expired, self-signed, wrong-name (issued for `elsewhere.example`),
            mutual (valid, and requires the client's certificate).
    """

    cacert: str
    client_cert: str
    contexts: dict[str, ssl.SSLContext]


def make(directory: Path) -> Certificates:
    """Make an authority, a client's certificate and a server context for each name.

    Args:
        directory: an empty, private directory for the PEM files.
    """
    authority = trustme.CA()
    authority.cert_pem.write_to_path(directory / "ca.pem")
    long_ago = datetime.datetime(2001, 1, 1, tzinfo=datetime.UTC)
    issued = {
        "valid": authority.issue_cert(*NAMES),
        "mutual": authority.issue_cert(*NAMES),
        "wrong-name": authority.issue_cert(WRONG_NAME),
        "expired": authority.issue_cert(*NAMES, not_before=long_ago, not_after=long_ago + datetime.timedelta(days=1)),
        "client": authority.issue_cert("client.example"),
    }
    for name, certificate in issued.items():
        certificate.private_key_and_cert_chain_pem.write_to_path(directory / f"{name}.pem")
    (directory / "self-signed.pem").write_bytes(self_signed())
    contexts = {}
    for name in ("valid", "expired", "self-signed", "wrong-name", "mutual"):
        contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        contexts[name].load_cert_chain(directory / f"{name}.pem")
    contexts["mutual"].verify_mode = ssl.CERT_REQUIRED
    contexts["mutual"].load_verify_locations(directory / "ca.pem")
    return Certificates(cacert=str(directory / "ca.pem"), client_cert=str(directory / "client.pem"), contexts=contexts)


def self_signed() -> bytes:
    """Return key and certificate, PEM, of a server that signs its own certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate.public_bytes(serialization.Encoding.PEM)
