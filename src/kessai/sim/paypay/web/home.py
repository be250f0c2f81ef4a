"""The page at `/`: what this is, the codes that were made, and how to make it misbehave."""

from __future__ import annotations

from html import escape
from typing import Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from kessai.kernel.clock import JST, Clock, from_ms
from kessai.sim.paypay.application.book import Book
from kessai.sim.paypay.domain.book import Payment
from kessai.sim.paypay.web.present import page_url

_SHOWN: Final = 20
_STYLE: Final = (
    ":root{color-scheme:light dark;--ink:#1b2421;--soft:#55625d;--line:#cfd8d3;--paper:#eef1ee}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6ebe8;--soft:#a3b0ab;--line:#33403b;"
    "--paper:#151b19}}body{font:16px/1.7 system-ui,sans-serif;color:var(--ink);margin:2.5rem auto;"
    "background:var(--paper);max-width:46rem;padding:0 1rem}a{color:inherit}table{width:100%;"
    "border-collapse:collapse}td,th{border-top:1px solid var(--line);padding:.35rem .6rem .35rem 0;"
    "text-align:left;overflow-wrap:anywhere}th{color:var(--soft);font-weight:500}"
    "pre{overflow-x:auto}"
)
_FAULTS: Final = (
    "curl -X PUT {base}/sim/faults -H 'Content-Type: application/json' \\\n"
    '  -d \'{{"webhooks": {{"drop": 50, "duplicate": 30}}}}\''
)


def home_routes(book: Book, clock: Clock, *, base_url: str) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    async def home() -> HTMLResponse:
        return HTMLResponse(
            _page(book, clock.now_ms(), base_url), headers={"Cache-Control": "no-store"}
        )

    return router


def _page(book: Book, now_ms: int, base_url: str) -> str:
    newest = book.newest(_SHOWN)
    rows = "".join(_row(payment, now_ms, base_url) for payment in newest)
    table = (
        "<table><tr><th>payment</th><th>amount</th><th>status</th><th>made (JST)</th></tr>"
        f"{rows}</table>"
        if rows
        else "<p>None yet. A code appears here when somebody buys.</p>"
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>PayPay simulator</title><style>{_STYLE}</style></head><body><main>"
        "<h1>PayPay simulator</h1><p>It speaks PayPay's wire protocol on a machine without a "
        "network. It is not PayPay, not made by PayPay, and no money moves.</p>"
        f"<h2>Newest codes</h2>{table}<h2>Look inside</h2>"
        '<ul><li><a href="/sim/payments">payments</a></li><li><a href="/sim/ledger">ledger</a>: '
        'its own book</li><li><a href="/sim/faults">faults</a> and how often each fired</li>'
        '<li><a href="/sim/events">events</a></li></ul><h2>Make it misbehave</h2>'
        f"<pre>{escape(_FAULTS.format(base=base_url))}</pre></main></body></html>"
    )


def _row(payment: Payment, now_ms: int, base_url: str) -> str:
    made = from_ms(payment.created_at_ms).astimezone(JST)
    url = escape(page_url(payment, base_url))
    return (
        f'<tr><td><a href="{url}">{escape(payment.merchant_payment_id)}</a></td>'
        f"<td>¥{payment.amount_yen:,}</td><td>{escape(str(payment.status_at(now_ms)))}</td>"
        f"<td>{made:%H:%M:%S}</td></tr>"
    )
