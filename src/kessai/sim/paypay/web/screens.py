"""The screens of the practice wallet as HTML: every part of them works without a script."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

from kessai.sim.paypay.web.words import Words

CSS_PATH: Final = "/sim/assets/wallet.css"
JS_PATH: Final = "/sim/assets/wallet.js"
RETURN_S: Final = 5

_WALLET: Final = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'aria-hidden="true"><rect x="3" y="6" width="18" height="14" rx="2"/>'
    '<path d="M3 6l12-3v3M16 13h5"/></svg>'
)
_CHECK: Final = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2.5" '
    'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="M5 12.5l5 5 9-11"/>'
    "</svg>"
)
_CROSS: Final = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linecap="round" aria-hidden="true"><path d="M6 6l12 12M18 6L6 18"/></svg>'
)
_GLASS: Final = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linejoin="round" aria-hidden="true"><path d="M7 3h10M7 21h10M8 3c0 6 8 6 8 9s-8 3-8 9'
    'M16 3c0 6-8 6-8 9s8 3 8 9"/></svg>'
)
_BACK: Final = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">'
    '<path d="M8 5L4 9l4 4M4 9h10a5 5 0 010 10h-3"/></svg>'
)
_TRIANGLE: Final = (
    '<svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="2" '
    'stroke-linejoin="round" aria-hidden="true"><path d="M12 4l9 16H3zM12 10v5M12 17.5v.5"/></svg>'
)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the code asks for. `path` is the page's own address."""

    path: str
    payee: str
    amount_yen: int
    name: str
    expires_at: str
    left_ms: int


@dataclass(frozen=True, slots=True)
class Ended:
    """`back_url`: where the shop wants its customer, if it said so and it can be opened."""

    amount_yen: int
    reference: str = ""
    back_url: str | None = None


class Screens:
    """One look at the wallet: in whose language, and with how much in it."""

    def __init__(self, words: Words, balance_yen: int) -> None:
        self._words = words
        self._balance_yen = balance_yen

    def ask(self, asked: Asked) -> str:
        words = self._words
        rows = (
            f'<dl class="card"><div><dt>{words.left_after}</dt>'
            f"<dd><b>{_money(self._balance_yen - asked.amount_yen)}</b></dd></div>"
            f"<div><dt>{words.valid_until}</dt><dd>{self._expiry(asked)}</dd></div></dl>"
        )
        acts = (
            _press(asked.path, "pay", words.pay),
            _press(asked.path, "decline", words.decline, kind="plain"),
            _link("?wait=1", words.wait, kind="quiet"),
        )
        return self._page(words.ask, self._head(asked) + rows + _acts(*acts))

    def short(self, asked: Asked, *, charge_yen: int) -> str:
        words = self._words
        missing = words.missing.format(_money(asked.amount_yen - self._balance_yen))
        note = (
            f'<div class="note" role="status">{_TRIANGLE}<div>'
            f"<p><b>{missing}</b></p><p>{words.charge_hint}</p></div></div>"
        )
        acts = (
            _press(asked.path, "charge", words.charge.format(_money(charge_yen))),
            _press(asked.path, "decline", words.decline, kind="plain"),
            _link("?wait=1", words.wait, kind="quiet"),
        )
        return self._page(words.short, self._head(asked) + note + _acts(*acts))

    def wait(self, asked: Asked) -> str:
        words = self._words
        rows = (
            f'<dl class="card"><div><dt>{words.valid_until}</dt>'
            f"<dd>{self._expiry(asked)}</dd></div></dl>"
        )
        line = f'<div class="ask"><p>{words.waiting_line}</p></div>'
        act = _link(asked.path, words.back_to_paying, kind="plain")
        return self._page(words.waiting, self._head(asked) + line + rows + _acts(act))

    def paid(self, ended: Ended, *, stays: bool) -> str:
        words = self._words
        goes_back = ended.back_url is not None and not stays
        body = _result(
            _CHECK,
            words.paid,
            money_yen=ended.amount_yen,
            line=self._number(ended.reference),
            more=self._way_back(ended.back_url or "") if goes_back else "",
        )
        acts: list[str] = []
        if ended.back_url is not None:
            acts.append(_link(ended.back_url, words.to_the_shop))
        if goes_back:
            acts.append(_link("?stay=1", words.stay, kind="quiet"))
        head = _refresh(ended.back_url or "") if goes_back else ""
        return self._page(words.paid_title, body + _acts(*acts), head=head)

    def reserved(self, ended: Ended) -> str:
        """Authorised: the money is set aside, and the shop may take it."""
        words, line = self._words, self._number(ended.reference)
        body = _result(_CHECK, words.reserved, money_yen=ended.amount_yen, line=line)
        return self._page(words.reserved_title, body + self._back(ended))

    def more(self, asked: Asked, *, held_yen: int) -> str:
        words = self._words
        rows = (
            f'<dl class="card"><div><dt>{words.held}</dt><dd>{_money(held_yen)}</dd></div>'
            f"<div><dt>{words.answer_until}</dt><dd>{self._expiry(asked)}</dd></div></dl>"
        )
        acts = (
            _press(asked.path, "agree", words.pay_this),
            _press(asked.path, "refuse", words.decline, kind="plain"),
        )
        return self._page(words.more_title, self._head(asked) + rows + _acts(*acts))

    def released(self, ended: Ended) -> str:
        words = self._words
        body = _result(_CROSS, words.released, line=words.nothing_moved, hollow=True)
        return self._page(words.released_title, body + self._back(ended))

    def declined(self, ended: Ended) -> str:
        words = self._words
        body = _result(_CROSS, words.declined, line=words.nothing_moved, hollow=True)
        return self._page(words.declined, body + self._back(ended))

    def expired(self, ended: Ended) -> str:
        words = self._words
        body = _result(_GLASS, words.expired, line=words.expired_line, hollow=True)
        return self._page(words.expired_title, body + self._back(ended))

    def deleted(self, ended: Ended) -> str:
        words = self._words
        body = _result(_CROSS, words.deleted, line=words.deleted_line, hollow=True)
        return self._page(words.deleted_title, body + self._back(ended))

    def returned(self, ended: Ended, *, whole: bool) -> str:
        title = self._words.cancelled if whole else self._words.refunded
        line = self._number(ended.reference)
        body = _result(_BACK, title, money_yen=ended.amount_yen, line=line, hollow=True)
        return self._page(title, body + self._back(ended))

    def unknown(self) -> str:
        words = self._words
        body = _result(_CROSS, words.unknown, line=words.unknown_line, hollow=True)
        return self._page(words.unknown_title, body)

    def _page(self, title: str, body: str, *, head: str = "") -> str:
        words = self._words
        return (
            f'<!doctype html><html lang="{words.lang}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1">'
            '<meta name="robots" content="noindex"><link rel="icon" href="data:,">'
            f"<title>{title} | {words.wallet}</title>"
            f'<link rel="stylesheet" href="{CSS_PATH}">{head}'
            f'<script src="{JS_PATH}" defer></script></head>'
            f'<body><div class="phone" data-sending="{words.sending}">'
            f'<p class="strip"><b>{words.practice}</b></p>'
            f'<header class="bar">{_WALLET}<span>{words.wallet}</span>'
            f'<span class="balance">{words.balance} <b>{_money(self._balance_yen)}</b></span>'
            f"</header><main>{body}</main></div></body></html>"
        )

    def _head(self, asked: Asked) -> str:
        return (
            f'<div class="ask"><p>{self._words.pay_to.format(escape(asked.payee))}</p>'
            f'<h1 class="money">{_money(asked.amount_yen)}</h1>'
            f'<p class="id">{escape(asked.name)}</p></div>'
        )

    def _expiry(self, asked: Asked) -> str:
        minutes, seconds = divmod(-(-asked.left_ms // 1000), 60)
        left = self._words.time_left
        return (
            f"<span>{asked.expires_at}</span>"
            f'<span role="timer" data-left-ms="{asked.left_ms}" data-words="{left}">'
            f"{left.format(f'{minutes:02d}:{seconds:02d}')}</span>"
        )

    def _number(self, reference: str) -> str:
        short = reference if len(reference) < 12 else f"{reference[:5]}…{reference[-4:]}"
        label, whole = self._words.number, escape(reference)
        return f'{label} <span class="id" title="{whole}">{escape(short)}</span>'

    def _way_back(self, url: str) -> str:
        line = self._words.returns_in.format(f"<b>{RETURN_S}</b>")
        return (
            f'<div class="return" data-url="{escape(url)}" data-seconds="{RETURN_S}">'
            f'<span>{line}</span><span class="track"><span></span></span></div>'
        )

    def _back(self, ended: Ended) -> str:
        return _acts(_link(ended.back_url, self._words.to_the_shop)) if ended.back_url else ""


def _result(
    icon: str,
    title: str,
    *,
    line: str = "",
    money_yen: int | None = None,
    hollow: bool = False,
    more: str = "",
) -> str:
    amount = "" if money_yen is None else f'<p class="money">{_money(money_yen)}</p>'
    note = f"<p>{line}</p>" if line else ""
    return (
        f'<section class="result"><span class="disc{" hollow" if hollow else ""}">{icon}</span>'
        f'<h1 tabindex="-1" autofocus>{title}</h1>{amount}{note}{more}</section>'
    )


def _refresh(url: str) -> str:
    content = escape(f"{RETURN_S};url={url}")
    return f'<noscript><meta http-equiv="refresh" content="{content}"></noscript>'


def _acts(*acts: str) -> str:
    return f'<div class="acts">{"".join(acts)}</div>' if acts else ""


def _press(path: str, act: str, label: str, *, kind: str = "") -> str:
    return (
        f'<form method="post" action="{escape(path)}/{act}">'
        f'<button class="act {kind}" type="submit">{label}</button></form>'
    )


def _link(url: str, label: str, *, kind: str = "") -> str:
    return f'<a class="act {kind}" href="{escape(url)}">{label}</a>'


def _money(amount_yen: int) -> str:
    sign = "−" if amount_yen < 0 else ""
    return f'<span class="money">{sign}<i>¥</i>{abs(amount_yen):,}</span>'
