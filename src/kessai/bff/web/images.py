"""Product pictures by their hash: immutable, in three widths, WebP where the browser takes it."""

from __future__ import annotations

import re
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Query, Request, Response

from kessai.bff.application import Images
from kessai.bff.domain import is_same
from kessai.contracts.search import IMAGE_KEY, WIDTHS, Format, media_type
from kessai.kernel.errors import Invalid, NotFound, Unknown

_KEY: Final = re.compile(IMAGE_KEY)
_FOR_EVER: Final = "public, max-age=31536000, immutable"
# Long enough that a page of gaps does not ask for each again, short enough to be filled soon.
_FOR_NOW: Final = "public, max-age=60"
_RETRY_AFTER_S: Final = 5
_RANGE: Final = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*", re.IGNORECASE)
_WEIGHT: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_log = structlog.get_logger(__name__)

# A parcel in the manner of the drawings, which stands for no product.
_PLACEHOLDER: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 240 240" width="480" height="480">'
    '<path d="M0 0H240V240H0z" fill="#DEE2E0"/><path d="M0 178H240V240H0z" fill="#CED4D1"/>'
    '<path d="M62 92H120V190H68a6 6 0 0 1-6-6z" fill="#FBF9F2"/>'
    '<path d="M120 92H178V184a6 6 0 0 1-6 6H120z" fill="#E6E1D3"/>'
    '<path d="M54 76a4 4 0 0 1 4-4H120V98H54z" fill="#FBF9F2"/>'
    '<path d="M120 72H182a4 4 0 0 1 4 4V98H120z" fill="#E6E1D3"/>'
    '<path d="M112 72H120V190H112zM54 96H120V102H54z" fill="#C79A6B"/>'
    '<path d="M120 72H128V190H120zM120 96H186V102H120z" fill="#A2754A"/></svg>'
)


def image_routes(images: Images) -> APIRouter:
    # Of no use to whoever reads the JSON API's description.
    router = APIRouter(include_in_schema=False)

    @router.get("/images/{key}")
    @router.head("/images/{key}")
    async def image(
        request: Request, key: str, w: Annotated[int, Query()] = WIDTHS[-1]
    ) -> Response:
        if not _KEY.fullmatch(key):
            raise NotFound("no such picture")
        if w not in WIDTHS:
            raise Invalid("w", "NOT_A_WIDTH", f"w is one of {', '.join(map(str, WIDTHS))}")
        format_: Format = "webp" if _takes_webp(request.headers.getlist("accept")) else "jpeg"
        tag = f'"{key}-{w}-{format_}"'
        headers = {"Cache-Control": _FOR_EVER, "Vary": "Accept", "ETag": tag}
        known = ",".join(request.headers.getlist("if-none-match"))
        # Whoever has it got it from us, and it cannot have changed since; `*` is what anybody has.
        if "*" not in known and is_same(known, tag):
            return Response(status_code=304, headers=headers)
        try:
            content = await images.find(key, w, format_)
        except Unknown as unknown:
            _log.warning("image.unknown", key=key, code=unknown.code)
            return _placeholder(503, {"Retry-After": str(_RETRY_AFTER_S)}, "no-store")
        if content is None:
            return _placeholder(404, {}, _FOR_NOW)
        if is_same(known, tag):
            return Response(status_code=304, headers=headers)
        headers["Accept-Ranges"] = "bytes"
        wanted = request.headers.get("range") if request.method == "GET" else None
        # A part of another picture than the one that is asked for would be of no use.
        if wanted is None or request.headers.get("if-range", tag) != tag:
            return Response(content, headers=headers, media_type=media_type(format_))
        return _part(content, wanted, headers, media_type(format_))

    return router


def _takes_webp(accept: list[str]) -> bool:
    """Said in so many words: `*/*` comes from programs that know nothing of WebP too."""
    weights: dict[str, float] = {}
    for part in ",".join(accept).split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        given = [found for one in parameters if (found := _WEIGHT.fullmatch(one))]
        weights[name] = float(given[0][1]) if given else 1.0
    webp = weights.get("image/webp", 0.0)
    return webp > 0 and webp >= weights.get("image/jpeg", 0.0)


def _part(content: bytes, wanted: str, headers: dict[str, str], type_: str) -> Response:
    """One range, as a download that broke off asks for; what is no such range is not heeded."""
    size = len(content)
    found = _RANGE.fullmatch(wanted)
    first, last = found.groups() if found else ("", "")
    if not (first or last) or (first and last and int(last) < int(first)):
        return Response(content, headers=headers, media_type=type_)
    start = int(first) if first else max(0, size - int(last))
    end = min(int(last) + 1, size) if first and last else size
    if start >= size:
        nothing = {"Content-Range": f"bytes */{size}", "Cache-Control": "no-store"}
        return Response(status_code=416, headers=nothing)
    headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    return Response(content[start:end], 206, headers, type_)


def _placeholder(status: int, headers: dict[str, str], cached: str) -> Response:
    """The status tells programs, the picture fills the gap for people."""
    return Response(
        _PLACEHOLDER,
        status_code=status,
        headers={
            **headers,
            "Cache-Control": cached,
            "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        },
        media_type="image/svg+xml",
    )
