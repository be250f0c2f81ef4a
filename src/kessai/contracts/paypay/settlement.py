"""PayPay's files of a day's transactions: names, columns, words, times, encoding.

RECON and PREAUTH are the two files that the notification `file.created` links to, as the chapter
"Transaction Recon File" of the OPA documents (Dynamic QR 1.1) has them; BUSINESS is what a person
downloads from PayPay for Business (paypay.ne.jp, help-online-merchant/B0058, help-merchant/b0836).
A reader finds the layout by the header, so that it takes all three.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from kessai.kernel.clock import JST, from_ms, to_ms

# Documented as Shift_JIS; cp932 is what Windows and banks write under that name, and holds it.
ENCODING: Final = "cp932"
LINE_END: Final = "\n"
LINK_LIVES_S: Final = 2 * 3600


class Column(StrEnum):
    """What a cell means, whatever the layout calls it."""

    PAYMENT_ID = "payment_id"
    MERCHANT_ID = "merchant_id"
    BRAND = "brand"
    STORE_ID = "store_id"
    STORE_NAME = "store_name"
    TERMINAL_ID = "terminal_id"
    STATUS = "status"
    AT = "at"
    AMOUNT = "amount"
    RECEIPT = "receipt"
    METHOD = "method"
    DETAILS = "details"
    CAPTURE_UNTIL = "capture_until"
    REFERENCE = "reference"


# Without these a file is none of a day's transactions; the others may be absent.
NEEDED: Final = (
    Column.PAYMENT_ID,
    Column.STATUS,
    Column.AT,
    Column.AMOUNT,
    Column.REFERENCE,
)


class Movement(StrEnum):
    """What happened. Money came with COMPLETED and went back with REFUNDED; no other moves any."""

    COMPLETED = "COMPLETED"
    REFUNDED = "REFUNDED"
    FAILED = "FAILED"
    REFUND_FAILED = "REFUND_FAILED"
    PENDING = "PENDING"
    REFUND_PENDING = "REFUND_PENDING"
    AUTHORIZED = "AUTHORIZED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Layout:
    """`header` in the file's order. With `is_signed` a refund's amount is negative, else absolute.

    REFERENCE is the merchantPaymentId; in PREAUTH the id of what happened, where it has its own:
    merchantCaptureId, merchantRevertId, merchantRefundId. A reader should take a refund's own id in
    every layout.
    """

    name: str
    file_prefix: str
    header: Mapping[Column, str]
    words: Mapping[Movement, str]
    time_format: str
    is_signed: bool


RECON: Final = Layout(
    name="recon",
    file_prefix="transaction",
    header=MappingProxyType(
        {
            Column.PAYMENT_ID: "決済番号",
            Column.MERCHANT_ID: "加盟店ID",
            Column.BRAND: "屋号",
            Column.STORE_ID: "店舗ID",
            Column.STORE_NAME: "店舗名",
            Column.TERMINAL_ID: "端末番号/PosID",
            Column.STATUS: "取引ステータス",
            Column.AT: "取引日時",
            Column.AMOUNT: "取引金額",
            Column.RECEIPT: "レシート番号",
            Column.METHOD: "支払い方法",
            Column.REFERENCE: "マーチャント決済ID",
            Column.DETAILS: "支払い詳細",
        }
    ),
    words=MappingProxyType(
        {
            Movement.COMPLETED: "取引完了",
            Movement.FAILED: "取引失敗",
            Movement.REFUNDED: "返金完了",
            Movement.REFUND_FAILED: "返金失敗",
        }
    ),
    time_format="%Y/%m/%d %H:%M:%S",
    is_signed=True,
)
PREAUTH: Final = Layout(
    name="preauth",
    file_prefix="preauth_transaction",
    header=MappingProxyType(
        {
            Column.PAYMENT_ID: "orderId",
            Column.MERCHANT_ID: "merchantId",
            Column.BRAND: "brandName",
            Column.STORE_ID: "storeId",
            Column.STORE_NAME: "storeName",
            Column.TERMINAL_ID: "terminalId",
            Column.STATUS: "transactionStatus",
            Column.AT: "acceptedAt",
            Column.AMOUNT: "amount",
            Column.RECEIPT: "orderReceiptNumber",
            Column.METHOD: "methodOfPayment",
            Column.REFERENCE: "merchantPaymentId",
            Column.DETAILS: "paymentDetails",
        }
    ),
    words=MappingProxyType(
        {
            movement: movement.value
            for movement in (
                Movement.AUTHORIZED,
                Movement.CANCELED,
                Movement.COMPLETED,
                Movement.EXPIRED,
                Movement.FAILED,
                Movement.REFUNDED,
            )
        }
    ),
    time_format="%Y-%m-%dT%H:%M:%S+09:00",
    is_signed=False,
)
BUSINESS: Final = Layout(
    name="business",
    file_prefix="transactions",
    header=MappingProxyType(
        {
            Column.PAYMENT_ID: "取引番号",
            Column.MERCHANT_ID: "加盟店ID",
            Column.BRAND: "屋号",
            Column.STORE_ID: "店舗ID",
            Column.STORE_NAME: "店舗名",
            Column.TERMINAL_ID: "端末番号/PosID",
            Column.STATUS: "取引ステータス",
            Column.AT: "取引日時",
            Column.AMOUNT: "取引金額",
            Column.RECEIPT: "レシート番号",
            Column.METHOD: "支払い方法",
            Column.DETAILS: "支払い詳細項目",
            Column.CAPTURE_UNTIL: "取引確定期限",
            Column.REFERENCE: "加盟店決済ID",
        }
    ),
    words=MappingProxyType(
        {
            Movement.COMPLETED: "取引完了",
            Movement.FAILED: "取引失敗",
            Movement.PENDING: "取引処理中",
            Movement.REFUNDED: "返金完了",
            Movement.REFUND_PENDING: "返金処理中",
            Movement.AUTHORIZED: "取引受付完了",
            Movement.CANCELED: "取引受付失敗",
            Movement.EXPIRED: "取引受付有効期限切れ",
        }
    ),
    time_format="%Y/%m/%d %H:%M:%S",
    is_signed=True,
)
LAYOUTS: Final = (RECON, PREAUTH, BUSINESS)


def layout_of(header: Sequence[str]) -> Layout | None:
    """By the needed columns, in whatever order; what else there is does not matter."""
    for layout in LAYOUTS:
        if all(layout.header[column] in header for column in NEEDED):
            return layout
    return None


def movement_of(layout: Layout, word: str) -> Movement | None:
    return next((found for found, name in layout.words.items() if name == word), None)


def file_name(layout: Layout, merchant_id: str, day: date) -> str:
    """`<prefix>_<merchant>_<from>_<to>_v2.csv`, of a whole business day in Japan."""
    return f"{layout.file_prefix}_{merchant_id}_{day:%Y%m%d}000000_{day:%Y%m%d}235959_v2.csv"


def day_of(at_ms: int) -> date:
    """The business day: in Japan, from midnight to midnight."""
    return from_ms(at_ms).astimezone(JST).date()


def span_of(day: date) -> tuple[int, int]:
    """From the day's first millisecond until just before the second number."""
    start = datetime(day.year, day.month, day.day, tzinfo=JST)
    return to_ms(start), to_ms(start + timedelta(days=1))


def written_at(layout: Layout, at_ms: int) -> str:
    return from_ms(at_ms).astimezone(JST).strftime(layout.time_format)


def read_at(text: str) -> int:
    """Epoch milliseconds of either form; without a zone it is Japan's. Raises `ValueError`."""
    moment = datetime.fromisoformat(text.strip().replace("/", "-"))
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=JST))
