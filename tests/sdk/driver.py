"""PayPay's own Python SDK as a program: a call per line in, its answer per line out (JSON).

Runs in the lane's environment, not in ours: it imports nothing of Kessai.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from typing import Any

import requests
from paypayopa import Client

METHODS = {
    "createCode": ("Code", "create_qr_code"),
    "deleteCode": ("Code", "delete_qr_code"),
    "getCodePayment": ("Code", "get_payment_details"),
    "getPayment": ("Payment", "get_payment_details"),
    "cancel": ("Payment", "cancel_payment"),
    "refund": ("Payment", "refund_payment"),
    "getRefund": ("Payment", "refund_details"),
    "capture": ("Payment", "capture_payment"),
    "revert": ("Payment", "revert_payment"),
    "createPayment": ("Payment", "create"),
    "createSession": ("Account", "create_qr_session"),
    "getPending": ("Pending", "get_payment_details"),
}


class Driver:
    def __init__(self, base_url: str, certificate: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()
        # Nothing of this machine's proxies and certificates.
        self.session.trust_env = False
        self.session.verify = certificate
        # The SDK returns the body only; its session may be given, and so the status is seen here.
        self.session.hooks["response"].append(self.note)
        self.status: int | None = None

    def note(self, response: Any, *_: object, **__: object) -> None:
        self.status = response.status_code

    def call(self, asked: dict[str, Any]) -> dict[str, Any]:
        client = Client(
            session=self.session, auth=(asked["key"], asked["secret"]), base_url=self.base_url
        )
        client.set_assume_merchant(asked["merchant"])
        resource, method = METHODS[asked["operation"]]
        self.status, body, error = None, None, None
        # It prints its hints to stdout, where our answers go.
        with contextlib.redirect_stdout(io.StringIO()) as said:
            try:
                body = getattr(getattr(client, resource), method)(
                    *asked["arguments"], timeout=asked["timeoutS"]
                )
            except Exception as raised:
                error = f"{type(raised).__name__}: {raised}"
        return {"status": self.status, "body": body, "error": error, "said": said.getvalue()}


def main() -> None:
    driver = Driver(*sys.argv[1:])
    for line in sys.stdin:
        print(json.dumps(driver.call(json.loads(line))), flush=True)  # noqa: T201


main()
