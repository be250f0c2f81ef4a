"""Requests of PayPay's own SDKs, recorded by `tests/sdk`: each is proved by its bytes alone.

`paypayopa` 1.0.9 and `@paypayopa/paypayopa-sdk-node` 2.2.0, with the simulator's credentials.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from kessai.contracts.paypay import Credentials, Signed, WrongSignature, verify

RECORDED = json.loads((Path(__file__).parent / "paypay_sdk_requests.json").read_text("utf-8"))
KEY = Credentials("kessai-sim-key", "kessai-sim-secret", "kessai-merchant")
TEXT = '𠮷野家 🍵 "二つ" \\u3042'

each = pytest.mark.parametrize(
    "sent", RECORDED, ids=[f"{sent['sdk']} {sent['method']} {sent['target']}" for sent in RECORDED]
)
Sent = dict[str, str]


def signed(sent: Sent) -> Signed:
    path, content_type = sent["target"].split("?")[0], sent["contentType"] or ""
    return Signed(sent["method"], path, content_type, sent["body"].encode())


def check(sent: Sent, request: Signed) -> None:
    header = sent["authorization"]
    verify(header, KEY, request, now_s=int(header.split(":")[4]))


@each
def test_it_is_the_merchants(sent: Sent) -> None:
    check(sent, signed(sent))


@each
def test_no_other_bytes_are(sent: Sent) -> None:
    request = signed(sent)
    for position in range(len(request.body)):
        changed = bytes([request.body[position] ^ 1])
        body = request.body[:position] + changed + request.body[position + 1 :]
        with pytest.raises(WrongSignature):
            check(sent, replace(request, body=body))
    # A content type counts with a body only: one SDK names it without, and signs "empty".
    other = replace(request, content_type="application/json;charset=UTF-8;")
    if request.body:
        with pytest.raises(WrongSignature):
            check(sent, other)
    else:
        check(sent, other)


def test_the_same_text_is_signed_as_escapes_by_one_and_as_utf_8_by_the_other() -> None:
    bodies = {sent["sdk"]: sent["body"] for sent in RECORDED if "orderDescription" in sent["body"]}
    assert json.dumps(TEXT) in bodies["python"]
    assert json.dumps(TEXT, ensure_ascii=False) in bodies["node"]
    assert {json.loads(body)["orderDescription"] for body in bodies.values()} == {TEXT}
