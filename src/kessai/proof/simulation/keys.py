"""The signing key of the simulated Firebase: the same in every process, so it protects nothing."""

from __future__ import annotations

import hashlib
from functools import cache

from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)

_EXPONENT = 65537
# The first primes above these names, found once by trial.
_P = ("kessai simulation p", 246)
_Q = ("kessai simulation q", 98)


@cache
def known_key() -> RSAPrivateKey:
    p, q = _prime(*_P), _prime(*_Q)
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    return RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=rsa_crt_dmp1(d, p),
        dmq1=rsa_crt_dmq1(d, q),
        iqmp=rsa_crt_iqmp(p, q),
        public_numbers=RSAPublicNumbers(_EXPONENT, p * q),
    ).private_key()


def _prime(name: str, offset: int) -> int:
    """1024 bits, the two highest set, so that a product of two has 2048."""
    drawn = int.from_bytes(hashlib.shake_256(name.encode()).digest(128), "big")
    return (drawn | (3 << 1022) | 1) + offset
