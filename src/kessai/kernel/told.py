"""What a driver says of a URL, as a line for people."""

from __future__ import annotations

from urllib.parse import unquote

_LONGEST = 200


def without_password(error: Exception, url: str, otherwise: str) -> str:
    """The first line of the error, or `otherwise` where the URL's password stands in it."""
    text = str(error).partition("\n")[0]
    # Not by `urlsplit`, which stumbles over what is wrong with it.
    login = url.partition("://")[2].rpartition("@")[0]
    password = login.partition(":")[2]
    if password and (password in text or unquote(password) in text):
        return otherwise
    return text[:_LONGEST]
