"""Certificates for doors on this machine: the ones that were given, or one signed by itself."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LOCAL_NAMES: Final = ("127.0.0.1", "::1", "localhost")
VALID_FOR: Final = timedelta(days=365)
RENEWED_BEFORE_END: Final = timedelta(days=30)
# Clocks of one machine agree; those of a container and its host nearly.
_EARLIER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Paths of a certificate (with its chain) and its private key, both PEM, without a password."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class TlsDoor:
    """Where an app is reached over TLS as well."""

    port: int
    pair: KeyPair


def check(pair: KeyPair) -> None:
    """Raises `ValueError` that names the file which no server could use."""
    for path in (pair.certificate, pair.key):
        if not path.is_file():
            raise ValueError(f"TLS: no file {path}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(pair.certificate, pair.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"TLS: {pair.certificate} and {pair.key} are no certificate and its key ({error})"
        ) from error


def _no_password() -> str:
    # Without this OpenSSL asks on the terminal, and a service waits for ever.
    raise ValueError("the key has a password")


def self_signed(folder: Path, names: Sequence[str], now: datetime) -> KeyPair:
    """The folder's own certificate for `names`, kept so that who trusts it need not do so again.

    It is made anew when it is missing, soon ends, or is for other names.
    """
    pair = KeyPair(folder / "certificate.pem", folder / "key.pem")
    if not _serves(pair, names, now):
        _write(pair, names, now)
    return pair


def _serves(pair: KeyPair, names: Sequence[str], now: datetime) -> bool:
    try:
        check(pair)
        found = x509.load_pem_x509_certificate(pair.certificate.read_bytes())
        held = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return False
    ends_later = now + RENEWED_BEFORE_END < found.not_valid_after_utc
    return found.not_valid_before_utc <= now and ends_later and held == _alternatives(names)


def _write(pair: KeyPair, names: Sequence[str], now: datetime) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _certificate(key, names, now)
    pair.key.parent.mkdir(parents=True, exist_ok=True)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    _replace(pair.key, secret, mode=0o600)
    _replace(pair.certificate, certificate.public_bytes(Encoding.PEM), mode=0o644)


def _certificate(
    key: ec.EllipticCurvePrivateKey, names: Sequence[str], now: datetime
) -> x509.Certificate:
    """It vouches for itself alone: trusting it lets nobody sign for other hosts."""
    public = key.public_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Kessai simulator")])
    own = x509.SubjectKeyIdentifier.from_public_key(public)
    signs_only = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    return (
        x509.CertificateBuilder(subject, subject, public, x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + VALID_FOR)
        .add_extension(_alternatives(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(signs_only, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(own, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own), critical=False
        )
        .sign(key, hashes.SHA256())
    )


def _alternatives(names: Sequence[str]) -> x509.SubjectAlternativeName:
    return x509.SubjectAlternativeName([_alternative(name) for name in dict.fromkeys(names)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _replace(path: Path, content: bytes, *, mode: int) -> None:
    """Whole or not at all, and never readable by others for a moment."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    fresh.replace(path)
