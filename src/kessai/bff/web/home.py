"""The plain page at `/` that leads to the parts of a local system."""

from __future__ import annotations

from html import escape

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from kessai.bff.web.door import Door

_STYLE = (
    "body{font:16px/1.7 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;"
    "color:#1b2421;background:#eef1ee}a{color:#0b5c46}code{background:#dfe5e0;padding:.1em .3em}"
    "@media(prefers-color-scheme:dark){body{color:#e6ebe8;background:#151b19}a{color:#7fd3b5}"
    "code{background:#26302c}}"
)


def home_routes(door: Door) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def home() -> HTMLResponse:
        return HTMLResponse(_page(door))

    return router


def _page(door: Door) -> str:
    settings = door.settings
    links = [("/api/products", "Catalogue (JSON)"), ("/actuator/health", "Health")]
    if settings.env == "local":
        links += [
            ("/docs", "API documentation"),
            (f"{settings.sim_public_url}/", "PayPay simulator"),
            (f"{settings.firebase_api_url}/", "Firebase simulator"),
        ]
    items = "".join(f'<li><a href="{escape(url)}">{escape(text)}</a></li>' for url, text in links)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Kessai 決済</title>'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<style>{_STYLE}</style></head><body><main><h1>Kessai <span lang="ja">決済</span></h1>'
        "<p>The shop's API is up. Its pages are not built: <code>make pages</code> builds them "
        "(Node.js 20.19 or newer). Buy something from the terminal with "
        f"<code>make demo</code>.</p><ul>{items}</ul></main></body></html>"
    )
