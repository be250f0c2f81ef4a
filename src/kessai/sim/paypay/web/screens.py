"""The screens of the practice wallet as HTML: every part of them works without a script."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Final

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


def ask_screen(asked: Asked, *, balance_yen: int) -> str:
    rows = (
        '<dl class="card"><div><dt>支払い後の残高</dt>'
        f"<dd><b>{_money(balance_yen - asked.amount_yen)}</b></dd></div>"
        f"<div><dt>コードの期限</dt><dd>{_expiry(asked)}</dd></div></dl>"
    )
    acts = (
        _press(asked.path, "pay", "支払う"),
        _press(asked.path, "decline", "断る", kind="plain"),
        _link("?wait=1", "何もせず、期限を待つ", kind="quiet"),
    )
    return _page("支払いの確認", balance_yen, _head(asked) + rows + _acts(*acts))


def short_screen(asked: Asked, *, balance_yen: int, charge_yen: int) -> str:
    missing = asked.amount_yen - balance_yen
    note = (
        f'<div class="note" role="status">{_TRIANGLE}<div>'
        f"<p><b>残高が {_money(missing)} 足りません</b></p>"
        "<p>チャージすると続けられます。</p></div></div>"
    )
    charge = f"＋&ensp;{_money(charge_yen)}&ensp;をチャージ"
    acts = (
        _press(asked.path, "charge", charge),
        _press(asked.path, "decline", "断る", kind="plain"),
        _link("?wait=1", "何もせず、期限を待つ", kind="quiet"),
    )
    return _page("残高不足", balance_yen, _head(asked) + note + _acts(*acts))


def wait_screen(asked: Asked, *, balance_yen: int) -> str:
    rows = f'<dl class="card"><div><dt>コードの期限</dt><dd>{_expiry(asked)}</dd></div></dl>'
    words = (
        '<div class="ask"><p>支払わずに、期限が切れるのを待っています。お金は動いていません。</p>'
        "</div>"
    )
    act = _link(asked.path, "支払いの画面に戻る", kind="plain")
    return _page("期限待ち", balance_yen, _head(asked) + words + rows + _acts(act))


@dataclass(frozen=True, slots=True)
class Ended:
    """`back_url`: where the shop wants its customer, if it said so and it can be opened."""

    amount_yen: int
    reference: str = ""
    back_url: str | None = None


def paid_screen(ended: Ended, *, balance_yen: int, stays: bool) -> str:
    goes_back = ended.back_url is not None and not stays
    body = _result(
        _CHECK,
        "支払いました",
        money_yen=ended.amount_yen,
        line=_number(ended.reference),
        more=_way_back(ended.back_url or "") if goes_back else "",
    )
    acts: list[str] = []
    if ended.back_url is not None:
        acts.append(_link(ended.back_url, "お店へ戻る"))
    if goes_back:
        acts.append(_link("?stay=1", "戻らない（戻り先を失う練習）", kind="quiet"))
    head = _refresh(ended.back_url or "") if goes_back else ""
    return _page("支払い済み", balance_yen, body + _acts(*acts), head=head)


def reserved_screen(ended: Ended, *, balance_yen: int) -> str:
    """Authorised: the money is set aside, and the shop may take it."""
    body = _result(
        _CHECK, "支払いを受け付けました", money_yen=ended.amount_yen, line=_number(ended.reference)
    )
    return _page("受け付け済み", balance_yen, body + _back(ended))


def more_screen(asked: Asked, *, held_yen: int, balance_yen: int) -> str:
    rows = (
        f'<dl class="card"><div><dt>受け付け済みの金額</dt><dd>{_money(held_yen)}</dd></div>'
        f"<div><dt>返事の期限</dt><dd>{_expiry(asked)}</dd></div></dl>"
    )
    acts = (
        _press(asked.path, "agree", "この金額で支払う"),
        _press(asked.path, "refuse", "断る", kind="plain"),
    )
    return _page("金額の変更", balance_yen, _head(asked) + rows + _acts(*acts))


def released_screen(ended: Ended, *, balance_yen: int) -> str:
    line = "お金は動いていません。"
    body = _result(_CROSS, "支払いの受け付けが取り消されました", line=line, hollow=True)
    return _page("取り消し済み", balance_yen, body + _back(ended))


def declined_screen(ended: Ended, *, balance_yen: int) -> str:
    body = _result(_CROSS, "断りました", line="お金は動いていません。", hollow=True)
    return _page("断りました", balance_yen, body + _back(ended))


def expired_screen(ended: Ended, *, balance_yen: int) -> str:
    line = "お金は動いていません。お店で新しいコードを作れます。"
    body = _result(_GLASS, "コードの期限が切れました", line=line, hollow=True)
    return _page("期限切れ", balance_yen, body + _back(ended))


def deleted_screen(ended: Ended, *, balance_yen: int) -> str:
    line = "お店がこのコードを取り消しました。お金は動いていません。"
    body = _result(_CROSS, "このコードは使えません", line=line, hollow=True)
    return _page("使えないコード", balance_yen, body + _back(ended))


def returned_screen(ended: Ended, *, balance_yen: int, whole: bool) -> str:
    title = "支払いは取り消されました" if whole else "返金されました"
    body = _result(
        _BACK, title, money_yen=ended.amount_yen, line=_number(ended.reference), hollow=True
    )
    return _page(title, balance_yen, body + _back(ended))


def unknown_screen(*, balance_yen: int) -> str:
    line = "このアドレスのコードはありません。お店の画面を確かめてください。"
    body = _result(_CROSS, "コードが見つかりません", line=line, hollow=True)
    return _page("見つかりません", balance_yen, body)


def _page(title: str, balance_yen: int, body: str, *, head: str = "") -> str:
    return (
        '<!doctype html><html lang="ja"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="robots" content="noindex"><link rel="icon" href="data:,">'
        f"<title>{title} | 模擬ウォレット</title>"
        f'<link rel="stylesheet" href="{CSS_PATH}">{head}'
        f'<script src="{JS_PATH}" defer></script></head><body><div class="phone">'
        '<p class="strip"><b>練習用の財布　本物のお金は動きません</b></p>'
        f'<header class="bar">{_WALLET}<span>模擬ウォレット</span>'
        f'<span class="balance">残高 <b>{_money(balance_yen)}</b></span></header>'
        f"<main>{body}</main></div></body></html>"
    )


def _head(asked: Asked) -> str:
    return (
        f'<div class="ask"><p>{escape(asked.payee)} に支払う</p>'
        f'<h1 class="money">{_money(asked.amount_yen)}</h1>'
        f'<p class="id">{escape(asked.name)}</p></div>'
    )


def _expiry(asked: Asked) -> str:
    minutes, seconds = divmod(-(-asked.left_ms // 1000), 60)
    return (
        f"<span>{asked.expires_at}</span>"
        f'<span role="timer" data-left-ms="{asked.left_ms}">あと {minutes:02d}:{seconds:02d}</span>'
    )


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


def _number(reference: str) -> str:
    short = reference if len(reference) < 12 else f"{reference[:5]}…{reference[-4:]}"
    return f'取引番号 <span class="id" title="{escape(reference)}">{escape(short)}</span>'


def _way_back(url: str) -> str:
    return (
        f'<div class="return" data-url="{escape(url)}" data-seconds="{RETURN_S}">'
        f"<span><b>{RETURN_S}</b> 秒後にお店へ戻ります</span>"
        '<span class="track"><span></span></span></div>'
    )


def _refresh(url: str) -> str:
    content = escape(f"{RETURN_S};url={url}")
    return f'<noscript><meta http-equiv="refresh" content="{content}"></noscript>'


def _back(ended: Ended) -> str:
    return _acts(_link(ended.back_url, "お店へ戻る")) if ended.back_url else ""


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
