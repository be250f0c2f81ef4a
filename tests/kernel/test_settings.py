"""What settings say of doors that stand open, and of those that no browser opens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from kessai.kernel.settings import Settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.9", "::1", "localhost"])
def test_what_only_this_machine_reaches_may_have_the_known_token(host: str) -> None:
    assert not Settings(bind_host=host).is_open_with_known_token


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.5", "order.internal"])
def test_what_others_reach_needs_a_token_of_its_own(host: str) -> None:
    assert Settings(bind_host=host).is_open_with_known_token
    assert not Settings(bind_host=host, service_token=SecretStr("a" * 32)).is_open_with_known_token


def test_ports_that_browsers_block_are_named() -> None:
    """Chromium and Firefox refuse 10080 themselves, whoever listens there."""
    assert Settings().closed_to_browsers == ()
    assert Settings(port_offset=2000).closed_to_browsers == ("http://127.0.0.1:10080",)
    blocked = Settings(public_url="https://shop.example:6000/", port_offset=1000)
    assert blocked.closed_to_browsers == ("https://shop.example:6000/",)


@pytest.mark.parametrize(
    "name", ["public_url", "firebase_keys_url", "firebase_api_url", "paypay_url", "sim_webhook_url"]
)
@pytest.mark.parametrize(
    "url",
    [
        *("", "/", "https://", "shop.example", "shop.example:443", "ftp://shop.example"),
        *("https://me:pw@shop.example", "https://shop.example:web", "http://shop.example:80808"),
    ],
)
def test_what_is_no_address_of_the_web_is_refused(name: str, url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings.model_validate({name: url})
    (told,) = refused.value.errors()
    assert told["loc"] == (name,)


def test_the_log_says_so_at_the_start(tmp_path: Path) -> None:
    """At an address of no machine (RFC 5737), where the start then ends."""
    ended = subprocess.run(
        [sys.executable, "-m", "kessai", "serve", "account-service"],
        env={**os.environ, "KESSAI_DATA_DIR": str(tmp_path), "KESSAI_BIND_HOST": "192.0.2.1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert '"settings.known_token"' in ended.stderr
    assert "kessai-local-service-token" not in ended.stderr
