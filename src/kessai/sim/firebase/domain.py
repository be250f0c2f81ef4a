"""Accounts as Firebase Authentication keeps them: rules, claims and its words for a refusal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final

from kessai.kernel.errors import JsonValue, Kind, Refused

PROVIDER: Final = "password"
_EMAIL: Final = re.compile(r"[^\s@<>\"(),:;\\\[\]]{1,64}@[^\s@.]+(\.[^\s@.]+)+")
_MIN_PASSWORD, _MAX_PASSWORD = 6, 4096
_MAX_EMAIL, _MAX_NAME, _MAX_PHOTO_URL = 254, 256, 2048
_MAX_CLAIMS = 1000
# https://firebase.google.com/docs/auth/admin/custom-claims: OIDC's own names and Firebase's.
RESERVED_CLAIMS: Final = (
    "acr", "amr", "at_hash", "aud", "auth_time", "azp", "c_hash", "cnf", "exp", "firebase",
    "iat", "iss", "jti", "nbf", "nonce", "sub",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """Firebase's own numbers where it tells them; the rest bounds this program."""

    id_token_s: int = 3600
    key_max_age_s: int = 21_600
    rotate_keys_s: int = 604_800
    check_keys_s: int = 3600
    certificate_s: int = 1_382_400
    max_keys: int = 8
    recent_login_s: int = 300
    oob_code_s: int = 3600
    max_mails: int = 200
    max_accounts: int = 100_000
    wrong_passwords: int = 10  # in a row, each within `lock_s` of the one before
    lock_s: int = 60
    max_watched_emails: int = 10_000


@dataclass(frozen=True, slots=True)
class Account:
    """`refresh_mark` is in every refresh token: a new mark ends all that were made before."""

    local_id: str
    email: str
    password_hash: str
    created_at_ms: int
    last_login_at_ms: int
    password_updated_at_ms: int
    valid_since_s: int
    refresh_mark: str
    email_verified: bool = False
    display_name: str | None = None
    photo_url: str | None = None
    disabled: bool = False
    custom_claims: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seed:
    local_id: str
    email: str
    display_name: str


SEED_PASSWORD: Final = "kessai-demo"  # noqa: S105 - printed on the simulator's own page
SEEDS: Final = (
    Seed("kessaiDemoShopper00000000001", "shopper@example.com", "決済 花子"),
    Seed("kessaiDemoOperator0000000001", "operator@example.com", "運用 太郎"),
    Seed("kessaiDemoViewer000000000001", "viewer@example.com", "閲覧 次郎"),
)


class MailKind(StrEnum):
    PASSWORD_RESET = "PASSWORD_RESET"  # noqa: S105 - a kind of mail
    VERIFY_EMAIL = "VERIFY_EMAIL"


@dataclass(frozen=True, slots=True)
class Mail:
    """A message with a one-time code. `is_used` codes stay listed until newer mails push them."""

    code: str
    kind: MailKind
    email: str
    local_id: str
    link: str
    sent_at_ms: int
    is_used: bool = False


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An RSA key with the self-signed certificate in which Google publishes it."""

    kid: str
    private_pem: str
    certificate_pem: str
    created_at_ms: int


@dataclass(frozen=True, slots=True)
class IdGrant:
    """What an ID token of ours says, once its signature and times are right."""

    local_id: str
    auth_time_s: int
    issued_at_s: int


@dataclass(frozen=True, slots=True)
class RefreshGrant:
    local_id: str
    mark: str
    auth_time_s: int


@dataclass(frozen=True, slots=True)
class Changes:
    """What an account's owner wants changed; None leaves it, an empty text removes it."""

    email: str | None = None
    display_name: str | None = None
    photo_url: str | None = None


def no(word: str, detail: str = "") -> Refused:
    """Firebase's refusal: `WORD`, or `WORD : detail` on the wire."""
    return Refused(word, detail, kind=Kind.BAD_REQUEST)


def checked_email(email: str | None) -> str:
    """Lower case, as Firebase stores it."""
    if not email:
        raise no("MISSING_EMAIL")
    if len(email) > _MAX_EMAIL or not _EMAIL.fullmatch(email):
        raise no("INVALID_EMAIL")
    return email.lower()


def checked_new_password(password: str | None) -> str:
    if not password:
        raise no("MISSING_PASSWORD")
    if len(password) < _MIN_PASSWORD:
        raise no("WEAK_PASSWORD", "Password should be at least 6 characters")
    if len(password) > _MAX_PASSWORD:
        raise no("PASSWORD_DOES_NOT_MEET_REQUIREMENTS", "Password may contain at most 4096")
    return password


def checked_password(password: str | None) -> str:
    """For signing in: whatever could be one, so that a wrong one tells nothing of the rules."""
    if not password:
        raise no("MISSING_PASSWORD")
    if len(password) > _MAX_PASSWORD:
        raise no("INVALID_LOGIN_CREDENTIALS")
    return password


def checked_claims(claims: Mapping[str, JsonValue], serialized: str) -> Mapping[str, JsonValue]:
    for name in RESERVED_CLAIMS:
        if name in claims:
            raise no("FORBIDDEN_CLAIM", name)
    if len(serialized) > _MAX_CLAIMS:
        raise no("CLAIMS_TOO_LARGE")
    return claims


def changed(account: Account, changes: Changes) -> Account:
    """A new address has to be verified again."""
    if changes.email is not None:
        email = checked_email(changes.email)
        still_verified = account.email_verified and email == account.email
        account = replace(account, email=email, email_verified=still_verified)
    if changes.display_name is not None:
        if len(changes.display_name) > _MAX_NAME:
            raise no("INVALID_DISPLAY_NAME")
        account = replace(account, display_name=changes.display_name or None)
    if changes.photo_url is not None:
        if len(changes.photo_url) > _MAX_PHOTO_URL:
            raise no("INVALID_PHOTO_URL")
        account = replace(account, photo_url=changes.photo_url or None)
    return account


def signed_out_everywhere(account: Account, mark: str, now_ms: int) -> Account:
    return replace(account, refresh_mark=mark, valid_since_s=now_ms // 1000)


def with_password(account: Account, password_hash: str, mark: str, now_ms: int) -> Account:
    """Every session that was opened with the old one ends."""
    account = replace(account, password_hash=password_hash, password_updated_at_ms=now_ms)
    return signed_out_everywhere(account, mark, now_ms)


def check_usable(account: Account | None) -> Account:
    if account is None:
        raise no("USER_NOT_FOUND")
    if account.disabled:
        raise no("USER_DISABLED")
    return account


def check_not_revoked(account: Account, grant: IdGrant) -> None:
    if grant.issued_at_s < account.valid_since_s:
        raise no("TOKEN_EXPIRED")


def check_recent_login(grant: IdGrant, now_s: int, recent_login_s: int) -> None:
    """Firebase asks for a fresh sign-in before it changes a credential or deletes an account."""
    if now_s - grant.auth_time_s > recent_login_s:
        raise no("CREDENTIAL_TOO_OLD_LOGIN_AGAIN")


def check_code(mail: Mail | None, now_ms: int, oob_code_s: int) -> Mail:
    if mail is None or mail.is_used:
        raise no("INVALID_OOB_CODE")
    if now_ms - mail.sent_at_ms >= oob_code_s * 1000:
        raise no("EXPIRED_OOB_CODE")
    return mail


def id_claims(
    account: Account, *, project: str, auth_time_s: int, now_s: int, lifetime_s: int
) -> dict[str, JsonValue]:
    """The claims of an ID token, as Firebase lays them out; custom ones cannot replace its own."""
    claims: dict[str, JsonValue] = {}
    if account.display_name:
        claims["name"] = account.display_name
    if account.photo_url:
        claims["picture"] = account.photo_url
    return {
        **claims,
        **account.custom_claims,
        "iss": issuer(project),
        "aud": project,
        "auth_time": auth_time_s,
        "user_id": account.local_id,
        "sub": account.local_id,
        "iat": now_s,
        "exp": now_s + lifetime_s,
        "email": account.email,
        "email_verified": account.email_verified,
        "firebase": {"identities": {"email": [account.email]}, "sign_in_provider": PROVIDER},
    }


def issuer(project: str) -> str:
    return f"https://securetoken.google.com/{project}"


def newest_of_all(key: SigningKey, others: Sequence[SigningKey]) -> SigningKey:
    """Also when the clock stood still or went back since the last one was made."""
    latest_ms = max((other.created_at_ms for other in others), default=-1)
    return replace(key, created_at_ms=max(key.created_at_ms, latest_ms + 1))


def served_keys(keys: Sequence[SigningKey], now_ms: int, limits: Limits) -> list[SigningKey]:
    """Newest first. A replaced key is served while its tokens and the cached key sets live."""
    ordered = sorted(keys, key=lambda key: (key.created_at_ms, key.kid), reverse=True)
    grace_ms = (limits.id_token_s + limits.key_max_age_s) * 1000
    served = ordered[:1] + [
        old for newer, old in pairwise(ordered) if now_ms < newer.created_at_ms + grace_ms
    ]
    return served[: limits.max_keys]


def is_rotation_due(keys: Sequence[SigningKey], now_ms: int, limits: Limits) -> bool:
    """Long before the newest certificate ends, or when there is no key at all."""
    newest_ms = max((key.created_at_ms for key in keys), default=None)
    return newest_ms is None or now_ms - newest_ms >= limits.rotate_keys_s * 1000
