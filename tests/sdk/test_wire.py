"""The bytes that PayPay's own SDKs send, and that our signature holds for these and no others."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace

import pytest
from tests.sdk.lane import SDK, Sdk, node_sdk, python_sdk
from tests.sdk.recorder import Recorder, Sent, recording
from tests.sdk.simulator import Simulator, a_refund, an_order, paid

from kessai.contracts.paypay import Credentials, WrongSignature, verify

pytestmark = SDK

TEXT = "𠮷野家 🍵 \\u3042"
Harm = Callable[[Sent], Sent]


@dataclass
class Wire:
    """An SDK and what it sent."""

    sdk: Sdk
    recorder: Recorder
    name: str

    @property
    def sent(self) -> list[Sent]:
        return self.recorder.sent


@pytest.fixture(scope="module", params=["python", "node"])
def made(request: pytest.FixtureRequest, running: Simulator) -> Iterator[Wire]:
    is_node = request.param == "node"
    with ExitStack() as stack:
        recorder = stack.enter_context(
            recording(running.url, running.certificate if is_node else None)
        )
        sdk = (node_sdk if is_node else python_sdk)(recorder.url, running.certificate)
        stack.callback(sdk.stop)
        yield Wire(sdk, recorder, request.param)


@pytest.fixture
def wire(made: Wire, simulator: Simulator) -> Wire:
    """Each operation once, and its request."""
    sdk = made.sdk
    made.sent.clear()
    payment_id = paid(sdk, simulator)
    code_id = sdk.call("createCode", an_order("m-2", orderDescription=TEXT)).data["codeId"]
    answers = [
        sdk.call("getCodePayment", "m-1"),
        sdk.call("getPayment", "m-1"),
        sdk.call("deleteCode", code_id),
        sdk.call("refund", a_refund(payment_id, 1)),
        sdk.call("getRefund", f"r-1?paymentId={payment_id}" if made.name == "node" else "r-1"),
        sdk.call("cancel", "m-2"),
    ]
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 200, 202]
    return made


def as_merchant(sent: Sent, secret: str = "kessai-sim-secret") -> None:
    credentials = Credentials("kessai-sim-key", secret, "kessai-merchant")
    verify(sent.authorization, credentials, sent.signed, now_s=time.time())


def flipped(sent: Sent) -> Sent:
    """One bit of one byte in the middle of the body."""
    middle = len(sent.body) // 2
    changed = bytes([sent.body[middle] ^ 1])
    return replace(sent, body=sent.body[:middle] + changed + sent.body[middle + 1 :])


def written_otherwise(sent: Sent) -> Sent:
    """The same JSON in the other SDK's spelling: escapes and separators."""
    content = json.loads(sent.body)
    spaced = json.dumps(content).encode()
    compact = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    return replace(sent, body=compact if sent.body == spaced else spaced)


def of_another_type(sent: Sent) -> Sent:
    return replace(sent, headers={**sent.headers, "content-type": "application/json;charset=utf-8"})


def test_every_request_of_the_sdk_is_proved_by_its_bytes(wire: Wire) -> None:
    assert [(sent.method, sent.target.partition("?")[0][:9]) for sent in wire.sent] == [
        ("POST", "/v2/codes"),
        ("POST", "/v2/codes"),
        ("GET", "/v2/codes"),
        ("GET", "/v2/payme"),
        ("DELETE", "/v2/codes"),
        ("POST", "/v2/refun"),
        ("GET", "/v2/refun"),
        ("DELETE", "/v2/payme"),
    ]
    for sent in wire.sent:
        as_merchant(sent)
        with pytest.raises(WrongSignature, match="the signature is wrong"):
            as_merchant(sent, secret="kessai-sim-secreT")
        with pytest.raises(WrongSignature):
            as_merchant(replace(sent, target="/v1" + sent.target))


@pytest.mark.parametrize("harm", [flipped, written_otherwise, of_another_type])
def test_no_other_bytes_are_proved(wire: Wire, harm: Harm) -> None:
    told = [sent for sent in wire.sent if sent.method == "POST"]
    assert len(told) == 3
    for sent in told:
        assert harm(sent) != sent
        with pytest.raises(WrongSignature, match="another body or content type"):
            as_merchant(harm(sent))


def test_the_two_sdks_write_as_differently_as_we_believe(wire: Wire) -> None:
    """If one of these fails after an update, an SDK has changed: look what that means."""
    create, look, delete, refund, look_refund, cancel = (wire.sent[n] for n in (1, 2, 4, 5, 6, 7))
    types = [sent.headers.get("content-type") for sent in (create, look, delete)]
    nonces = {len(sent.authorization.split(":")[3]) for sent in wire.sent}
    assert b"" == look.body == look_refund.body == cancel.body
    if wire.name == "python":
        assert types == ["application/json;charset=UTF-8"] * 3
        assert json.dumps(TEXT).encode() in create.body
        assert create.body.isascii()
        assert (refund.target, delete.body) == ("/v2/refunds/", b"{}")
        assert nonces == {8}
    else:
        assert types == ["application/json", None, None]
        assert json.dumps(TEXT, ensure_ascii=False).encode() in create.body
        assert (refund.target, delete.body) == ("/v2/refunds", b"")
        assert look_refund.target.startswith("/v2/refunds/r-1?paymentId=")
        assert nonces == {36}
