"""The built front end: pages and assets, from memory, compressed beforehand."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from fastapi import APIRouter, Request, Response
from starlette.convertors import Convertor, register_url_convertor

from kessai.bff.domain import Asset, Pages, is_same, pick_encoding
from kessai.bff.web.door import Door
from kessai.kernel.errors import NotFound

_IMMUTABLE: Final = "public, max-age=31536000, immutable"
_REVALIDATE: Final = "no-cache"
_GOOGLE: Final = ("https://identitytoolkit.googleapis.com", "https://securetoken.googleapis.com")
# The list of the first page, asked for while the browser still reads the page's own program.
_FIRST_LIST: Final = (
    "</api/products/search?sort=relevance&page=0&size=24>; rel=preload; as=fetch; "
    "crossorigin=anonymous"
)
# Pages that the shop's router knows; everything else is its "not here" page, with status 404.
_SHOP: Final = (
    "/", "/products", "/products/{a}", "/cart", "/login", "/signup", "/reset", "/checkout",
    "/checkout/{a}/pay", "/checkout/{a}/result", "/orders", "/orders/{a}", "/orders/{a}/receipt",
    "/account",
)  # fmt: skip
_METHODS: Final = ["GET", "HEAD"]


class _NobodysPath(Convertor[str]):
    """An address outside of what the other routes own, so that their 404 and 405 stay theirs."""

    regex = r"(?!(?:api|auth|ws|images|assets|paypay|actuator|docs|openapi\.json)(?:/|$)).*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("nobodys", _NobodysPath())


def page_routes(door: Door, pages: Pages) -> APIRouter:
    router = APIRouter(include_in_schema=False)
    policy = page_policy(door.settings.firebase_api_url, door.public_origin)

    async def shop(request: Request) -> Response:
        answer = _page(request, pages.shop, policy)
        if request.url.path == "/":
            answer.headers["Link"] = _FIRST_LIST
        return answer

    for path in _SHOP:
        router.add_api_route(path, shop, methods=_METHODS)

    @router.api_route("/console", methods=_METHODS)
    @router.api_route("/console/{rest:path}", methods=_METHODS)
    async def console(request: Request) -> Response:
        return _page(request, pages.console, policy)

    @router.api_route("/assets/{name}", methods=_METHODS)
    async def asset(request: Request, name: str) -> Response:
        found = pages.assets.get(name)
        if found is None:
            raise NotFound("no such asset")
        return _answer(request, found, _IMMUTABLE)

    @router.api_route("/{rest:nobodys}", methods=_METHODS)
    async def missing(request: Request) -> Response:
        """A person gets the shop's own page, a program the problem that it can read."""
        if "text/html" not in request.headers.get("accept", ""):
            raise NotFound("no such page")
        return _page(request, pages.shop, policy, status=404)

    return router


def page_policy(firebase_api_url: str, public_origin: str) -> str:
    """CSP without inline script; `style-src` has 'unsafe-inline' for reka-ui's positions."""
    identity = " ".join(_GOOGLE if "googleapis.com" in firebase_api_url else (firebase_api_url,))
    socket = (
        f"{'wss' if public_origin.startswith('https') else 'ws'}://{urlsplit(public_origin).netloc}"
    )
    return (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        f"img-src 'self' data:; connect-src 'self' {socket} {identity}; object-src 'none'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


def _page(request: Request, page: Asset, policy: str, status: int = 200) -> Response:
    answer = _answer(request, page, _REVALIDATE, status)
    answer.headers["Content-Security-Policy"] = policy
    answer.headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=()"
    return answer


def _answer(request: Request, asset: Asset, cache: str, status: int = 200) -> Response:
    encoding = pick_encoding(request.headers.get("accept-encoding", ""), asset.bodies)
    tag = f'"{asset.tag}-{encoding}"'
    headers = {"Cache-Control": cache, "ETag": tag, "Vary": "Accept-Encoding"}
    if status == 200 and is_same(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    if encoding != "identity":
        headers["Content-Encoding"] = encoding
    body = asset.bodies[encoding]
    # The length is that of a GET; the server leaves the body of a HEAD out.
    return Response(body, status, headers, media_type=asset.media_type)
