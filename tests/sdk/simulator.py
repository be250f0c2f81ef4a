"""What the lane asks of the simulator and what it sends, beside the SDKs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx2
from tests.sdk.lane import Json, Sdk

WAIT_S = 10.0


@dataclass
class Simulator:
    """Its addresses, and its remote control: the customer and the operator."""

    url: str
    tls_url: str
    certificate: Path
    client: httpx2.Client

    def act(self, name: str, act: str) -> Json:
        answer = self.client.post(f"/sim/payments/{name}/{act}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def refuses(self, name: str, act: str) -> bool:
        return self.client.post(f"/sim/payments/{name}/{act}").status_code == 409

    def faults(self, **faults: object) -> None:
        answer = self.client.put("/sim/faults", json=faults)
        assert answer.status_code == 200, answer.text

    def fired(self) -> Json:
        return dict(self.client.get("/sim/faults").json()["fired"])

    def ledger(self) -> Json:
        return dict(self.client.get("/sim/ledger").json()["totals"])


def eventually(ask: Callable[[], object], expected: object) -> None:
    end = time.monotonic() + WAIT_S
    while (seen := ask()) != expected:
        assert time.monotonic() < end, seen
        time.sleep(0.02)


def an_order(name: str = "m-1", amount: int = 25180, **more: object) -> Json:
    return {
        "merchantPaymentId": name,
        "amount": {"amount": amount, "currency": "JPY"},
        "codeType": "ORDER_QR",
        **more,
    }


def a_refund(payment_id: str, amount: int = 25180, name: str = "r-1") -> Json:
    return {
        "merchantRefundId": name,
        "paymentId": payment_id,
        "amount": {"amount": amount, "currency": "JPY"},
        "requestedAt": int(time.time()),
        "reason": "お客様の都合",
    }


def paid(sdk: Sdk, simulator: Simulator, name: str = "m-1", amount: int = 25180) -> str:
    """The paymentId of a code that was made by the SDK and paid by the customer."""
    assert sdk.call("createCode", an_order(name, amount)).told == (201, "SUCCESS")
    return str(simulator.act(name, "pay")["paymentId"])


def status(sdk: Sdk, name: str = "m-1") -> str:
    return str(sdk.call("getCodePayment", name).data["status"])
