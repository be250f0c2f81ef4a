"""What the practice wallet says, in the three languages of the shop that it is practised with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Words:
    """`{}` is where a value stands: an amount, a time, a number of seconds, the shop's name."""

    lang: str
    wallet: str
    practice: str
    balance: str
    sending: str
    ask: str
    pay_to: str
    left_after: str
    valid_until: str
    time_left: str
    pay: str
    decline: str
    wait: str
    short: str
    missing: str
    charge_hint: str
    charge: str
    waiting: str
    waiting_line: str
    back_to_paying: str
    paid: str
    paid_title: str
    number: str
    returns_in: str
    to_the_shop: str
    stay: str
    reserved: str
    reserved_title: str
    held: str
    answer_until: str
    pay_this: str
    more_title: str
    nothing_moved: str
    released: str
    released_title: str
    declined: str
    expired: str
    expired_title: str
    expired_line: str
    deleted: str
    deleted_title: str
    deleted_line: str
    cancelled: str
    refunded: str
    unknown: str
    unknown_title: str
    unknown_line: str


_JA: Final = Words(
    lang="ja",
    wallet="模擬ウォレット",
    practice="練習用の財布　本物のお金は動きません",
    balance="残高",
    sending="送信中",
    ask="支払いの確認",
    pay_to="{} に支払う",
    left_after="支払い後の残高",
    valid_until="コードの期限",
    time_left="あと {}",
    pay="支払う",
    decline="断る",
    wait="何もせず、期限を待つ",
    short="残高不足",
    missing="残高が {} 足りません",
    charge_hint="チャージすると続けられます。",
    charge="＋&ensp;{}&ensp;をチャージ",
    waiting="期限待ち",
    waiting_line="支払わずに、期限が切れるのを待っています。お金は動いていません。",
    back_to_paying="支払いの画面に戻る",
    paid="支払いました",
    paid_title="支払い済み",
    number="取引番号",
    returns_in="{} 秒後にお店へ戻ります",
    to_the_shop="お店へ戻る",
    stay="戻らない（戻り先を失う練習）",
    reserved="支払いを受け付けました",
    reserved_title="受け付け済み",
    held="受け付け済みの金額",
    answer_until="返事の期限",
    pay_this="この金額で支払う",
    more_title="金額の変更",
    nothing_moved="お金は動いていません。",
    released="支払いの受け付けが取り消されました",
    released_title="取り消し済み",
    declined="断りました",
    expired="コードの期限が切れました",
    expired_title="期限切れ",
    expired_line="お金は動いていません。お店で新しいコードを作れます。",
    deleted="このコードは使えません",
    deleted_title="使えないコード",
    deleted_line="お店がこのコードを取り消しました。お金は動いていません。",
    cancelled="支払いは取り消されました",
    refunded="返金されました",
    unknown="コードが見つかりません",
    unknown_title="見つかりません",
    unknown_line="このアドレスのコードはありません。お店の画面を確かめてください。",
)
_EN: Final = Words(
    lang="en",
    wallet="Mock wallet",
    practice="Practice wallet: no real money moves",
    balance="Balance",
    sending="Sending",
    ask="Confirm the payment",
    pay_to="Pay {}",
    left_after="Balance after paying",
    valid_until="Valid until (Japan time)",
    time_left="{} left",
    pay="Pay",
    decline="Decline",
    wait="Do nothing and let it expire",
    short="Balance too low",
    missing="Your balance is {} short",
    charge_hint="Top it up to go on.",
    charge="Top up&ensp;{}",
    waiting="Waiting for the expiry",
    waiting_line="Nothing is paid; this waits until the code expires. No money has moved.",
    back_to_paying="Back to paying",
    paid="Paid",
    paid_title="Paid",
    number="Transaction",
    returns_in="Back to the shop in {} s",
    to_the_shop="Back to the shop",
    stay="Stay here (practise losing the way back)",
    reserved="The payment is authorised",
    reserved_title="Authorised",
    held="Authorised so far",
    answer_until="Answer by (Japan time)",
    pay_this="Pay this amount",
    more_title="Another amount",
    nothing_moved="No money has moved.",
    released="The authorisation was cancelled",
    released_title="Cancelled",
    declined="Declined",
    expired="The code has expired",
    expired_title="Expired",
    expired_line="No money has moved. You can make a new code in the shop.",
    deleted="This code cannot be used",
    deleted_title="Code not usable",
    deleted_line="The shop has cancelled this code. No money has moved.",
    cancelled="The payment was cancelled",
    refunded="Refunded",
    unknown="No such code",
    unknown_title="Not found",
    unknown_line="There is no code at this address. Please check the shop's page.",
)
_ZH: Final = Words(
    lang="zh-CN",
    wallet="模拟钱包",
    practice="练习用钱包：不会动用真钱",
    balance="余额",
    sending="正在发送",
    ask="确认付款",
    pay_to="付款给 {}",
    left_after="付款后余额",
    valid_until="付款码有效期至（日本时间）",
    time_left="剩余 {}",
    pay="付款",
    decline="拒绝",
    wait="什么都不做，等待过期",
    short="余额不足",
    missing="余额还差 {}",
    charge_hint="充值后即可继续。",
    charge="充值&ensp;{}",
    waiting="等待过期",
    waiting_line="不付款，等待付款码过期。资金没有变动。",
    back_to_paying="返回付款页面",
    paid="已付款",
    paid_title="已付款",
    number="交易号",
    returns_in="{} 秒后返回商店",
    to_the_shop="返回商店",
    stay="不返回（练习丢失返回路径）",
    reserved="付款已受理",
    reserved_title="已受理",
    held="已受理的金额",
    answer_until="答复期限（日本时间）",
    pay_this="按此金额付款",
    more_title="金额变更",
    nothing_moved="资金没有变动。",
    released="付款受理已取消",
    released_title="已取消",
    declined="已拒绝",
    expired="付款码已过期",
    expired_title="已过期",
    expired_line="资金没有变动。可以在商店里重新生成付款码。",
    deleted="此付款码无法使用",
    deleted_title="无法使用的付款码",
    deleted_line="商店取消了此付款码。资金没有变动。",
    cancelled="付款已取消",
    refunded="已退款",
    unknown="找不到付款码",
    unknown_title="未找到",
    unknown_line="此地址没有付款码。请查看商店页面。",
)
_SPOKEN: Final = {"en": _EN, "zh": _ZH}


def words_for(accept_language: str | None) -> Words:
    """By the browser's first language, as the shop's own pages choose; else in Japanese."""
    return _SPOKEN.get((accept_language or "").strip()[:2].lower(), _JA)
