"""PayPay's signature: the three vectors it published, and that nothing of a request can change."""

from __future__ import annotations

import dataclasses
import json

import pytest

from kessai.contracts.paypay import (
    CodeItem,
    CreateCode,
    Credentials,
    Money,
    Signed,
    TransactionWebhook,
    WrongSignature,
    authorization,
    verify,
)

KEY = Credentials("kessai-sim-key", "kessai-sim-secret", "kessai-merchant")
NOW_S = 1_800_000_000
ORDER = Signed("POST", "/v2/codes", "application/json", b'{"merchantPaymentId":"m-1"}')
HEADER = authorization(KEY, ORDER, nonce="acd02834", epoch_s=NOW_S)


def test_the_vector_of_the_documentation() -> None:
    """A POST whose content type ends in a semicolon."""
    body = (
        b'{"sampleRequestBodyKey1":"sampleRequestBodyValue1",'
        b'"sampleRequestBodyKey2":"sampleRequestBodyValue2"}'
    )
    header = authorization(
        Credentials("APIKeyGenerated", "APIKeySecretGenerated", "m"),
        Signed("POST", "/v2/codes", "application/json;charset=UTF-8;", body),
        nonce="acd028",
        epoch_s=1579843452,
    )
    assert header == (
        "hmac OPA-Auth:APIKeyGenerated:NW1jKIMnzR7tEhMWtcJcaef+nFVBt7jjAGcVuxHhchc=:acd028:"
        "1579843452:1j0FnY4flNp5CtIKa7x9MQ=="
    )


def test_the_vector_of_a_look_up() -> None:
    header = authorization(
        Credentials("sample_key", "sample_secret", "m"),
        Signed("get", "/v2/payments/TEST_merchantPaymentID"),
        nonce="a360e2",
        epoch_s=1743139337,
    )
    assert header == (
        "hmac OPA-Auth:sample_key:JbUZwAUKeQ+WDClEjkCGwYG/juFR+Dd5RK5AfL0gK9w=:a360e2:"
        "1743139337:empty"
    )


def test_the_vector_of_a_pretty_printed_body() -> None:
    """The same key as the look-up; it holds for four spaces, line feeds and this spacing only."""
    body = b"""{
    "merchantPaymentId": "TEST_QR_Payment",
    "amount": {
        "amount":10,
        "currency": "JPY"
    },
    "codeType": "ORDER_QR",
    "isAuthorization":false,
    "redirectUrl":"https://about.paypay.ne.jp/",
    "redirectType":"WEB_LINK"
}"""
    signed = Signed("POST", "/v2/codes", "application/json", body)
    header = authorization(
        Credentials("sample_key", "sample_secret", "m"), signed, nonce="fedaa4", epoch_s=1743138611
    )
    assert header == (
        "hmac OPA-Auth:sample_key:C2a7jD7OjL1DXnZhSYQfRI2Oxfdh43htV7pG8cwgCy4=:fedaa4:"
        "1743138611:T9wzkv1tUWIxzIHQUT7iDQ=="
    )


def test_a_body_of_the_same_meaning_is_another_body() -> None:
    content = {"merchantPaymentId": "TEST", "amount": {"amount": 1, "currency": "JPY"}}
    pretty = Signed("POST", "/v2/codes", "application/json", json.dumps(content, indent=4).encode())
    compact = Signed("POST", "/v2/codes", "application/json", json.dumps(content).encode())
    header = authorization(KEY, pretty, nonce="fedaa4", epoch_s=NOW_S)
    verify(header, KEY, pretty, now_s=NOW_S)
    with pytest.raises(WrongSignature, match="another body"):
        verify(header, KEY, compact, now_s=NOW_S)


def test_what_was_signed_is_accepted() -> None:
    verify(HEADER, KEY, ORDER, now_s=NOW_S)


@pytest.mark.parametrize(
    "change",
    [
        {"method": "PUT"},
        {"path": "/v2/codes/"},
        {"path": "/v2/codes?assumeMerchant=m"},
        {"content_type": "application/json;charset=UTF-8"},
        {"body": b'{"merchantPaymentId":"m-2"}'},
        {"body": b'{"merchantPaymentId": "m-1"}'},
        {"body": b""},
    ],
)
def test_another_request_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(WrongSignature):
        verify(HEADER, KEY, dataclasses.replace(ORDER, **change), now_s=NOW_S)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "place", [1, 2, 3, 4, 5], ids=["key", "mac", "nonce", "epoch", "body hash"]
)
def test_another_header_is_refused(place: int) -> None:
    parts = HEADER.split(":")
    last = parts[place][-2]
    parts[place] = parts[place][:-2] + ("1" if last != "1" else "2") + parts[place][-1]
    with pytest.raises(WrongSignature):
        verify(":".join(parts), KEY, ORDER, now_s=NOW_S)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "hmac OPA-Auth",
        "hmac OPA-Auth:a:b:c",
        HEADER.replace("hmac OPA-Auth", "hmac OPA"),
        HEADER + ":more",
        HEADER.replace(str(NOW_S), f"-{NOW_S}"),
        HEADER.replace(str(NOW_S), "１８００００００００"),
    ],
)
def test_a_header_of_another_form_is_refused(header: str) -> None:
    with pytest.raises(WrongSignature):
        verify(header, KEY, ORDER, now_s=NOW_S)


@pytest.mark.parametrize(
    ("skew_s", "fine"), [(119, True), (-119, True), (120, False), (-120, False)]
)
def test_less_than_two_minutes_of_skew_are_fine(skew_s: int, fine: bool) -> None:
    if fine:
        verify(HEADER, KEY, ORDER, now_s=NOW_S + skew_s)
    else:
        with pytest.raises(WrongSignature, match="two minutes"):
            verify(HEADER, KEY, ORDER, now_s=NOW_S + skew_s)


def test_another_secret_is_refused() -> None:
    other = Credentials(KEY.api_key, "kessai-sim-secreT", KEY.merchant_id)
    with pytest.raises(WrongSignature, match="signature"):
        verify(HEADER, other, ORDER, now_s=NOW_S)


def test_a_content_type_without_a_body_does_not_matter() -> None:
    """PayPay's Python SDK sends one on GET and signs "empty" all the same."""
    bare = Signed("GET", "/v2/codes/payments/m-1")
    header = authorization(KEY, bare, nonce="acd02834", epoch_s=NOW_S)
    verify(header, KEY, dataclasses.replace(bare, content_type="application/json"), now_s=NOW_S)


def test_the_secret_is_not_printed() -> None:
    assert "kessai-sim-secret" not in repr(KEY)


def test_a_code_echoes_unit_price_in_snake_case() -> None:
    asked = CreateCode.model_validate(
        {
            "merchantPaymentId": "m-1",
            "amount": {"amount": 100, "currency": "JPY"},
            "orderItems": [
                {"name": "茶碗", "quantity": 1, "unitPrice": {"amount": 100, "currency": "JPY"}}
            ],
        }
    )
    assert asked.order_items is not None
    echoed = CodeItem(name=asked.order_items[0].name, quantity=1, unit_price=Money(amount=100))
    assert echoed.model_dump(by_alias=True, exclude_none=True) == {
        "name": "茶碗",
        "quantity": 1,
        "unit_price": {"amount": 100, "currency": "JPY"},
    }


@pytest.mark.parametrize("amount", ["12345", 12345])
def test_a_webhook_is_read_with_its_amount_as_text_or_number(amount: str | int) -> None:
    seen = TransactionWebhook.model_validate(
        {"notification_type": "Transaction", "order_amount": amount, "state": "COMPLETED", "new": 1}
    )
    assert (seen.order_amount, seen.state, seen.paid_at) == (amount, "COMPLETED", None)
