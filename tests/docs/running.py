"""The one system that blocks are run against: its folder, its files, and what fills their gaps."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import cached_property
from pathlib import Path

from PIL import Image
from tests.docs import quick
from tests.docs.blocks import ROOT
from tests.docs.commands import Command
from tests.support.process import READY_S, Processes, free_offset, processes

from kessai.contracts.events import PaymentSucceeded, write_event
from kessai.embedded import open_runtime
from kessai.kernel.bus import Message
from kessai.kernel.clock import wire
from kessai.kernel.settings import Settings
from kessai.proof.customer import Customer, SeenOrder
from kessai.topology import PAYMENTS_TOPIC, SERVICES, SIMULATORS

EMAIL, PASSWORD = "shopper@example.com", "kessai-demo"
COMMAND_S, STAYS_S = 90.0, 20.0
# What the blocks of README say of the windows is as quick as a test wants it.
QUICK = {"KESSAI_ALERT_WINDOW_S": "2", "KESSAI_ALERT_TICK_S": "1"}
_JAPAN = timezone(timedelta(hours=9))
_PORTS = {
    port for card in (*SERVICES, *SIMULATORS) for port in (card.port, card.management_port) if port
}
_ADDRESS = re.compile(r"(127\.0\.0\.1|localhost):(\d+)")
_DAY = re.compile(r"(?<=--day )\d{4}-\d\d-\d\d")


@dataclass(frozen=True, slots=True)
class Ended:
    """A command as it was run, and how it ended."""

    command: Command
    text: str
    code: int
    out: str
    error: str

    @property
    def told(self) -> str:
        shown = "\n".join(filter(None, (self.out.strip()[-1500:], self.error.strip()[-1500:])))
        return f"{self.command.at}: {self.text!r} ended with {self.code}:\n{shown}"


@dataclass
class System:
    """`folder` is where commands are run; its `.kessai` is the data of the system."""

    shop: Processes
    folder: Path
    ran: list[Ended] = field(default_factory=list)

    def filled(self, text: str, known: dict[str, str]) -> str:
        """Words in capitals, days and ports of the document, as they are in this system.

        `known`: what was filled in before in the same block, where a word is one thing.
        """
        for word, filler in FILLERS.items():
            if re.search(rf"\b{word}\b", text):
                known[word] = known.get(word) or filler(self)
                text = re.sub(rf"\b{word}\b", known[word], text)
        return self.moved(_DAY.sub(self.today, text))

    def moved(self, text: str) -> str:
        offset = self.shop.offset

        def shifted(found: re.Match[str]) -> str:
            port = int(found[2])
            return f"{found[1]}:{port + offset if port in _PORTS else port}"

        return _ADDRESS.sub(shifted, text)

    @property
    def today(self) -> str:
        return datetime.now(_JAPAN).date().isoformat()

    @cached_property
    def order(self) -> SeenOrder:
        return self.buy()

    @property
    def alert(self) -> str:
        """A new one each time: a second payment was told of an order that is paid."""
        order = self.buy()
        asyncio.run(self._pay_again(order))
        end_s = time.monotonic() + 20
        while time.monotonic() < end_s:
            found = self.json("alerts", "list", "--order", order.order_id, "--rule", "C", "--json")
            if found["alerts"]:
                return str(found["alerts"][0]["alertId"])
            time.sleep(0.2)
        raise TimeoutError("rule C told nobody of a second payment")

    @property
    def saga(self) -> str:
        found = self.json("saga", "list", "--business-key", self.order.order_id, "--json")
        return str(found["items"][0]["instanceId"])

    def json(self, *words: str) -> dict[str, list[dict[str, object]]]:
        done = self._shell(" ".join(["kessai", *words]))
        assert done.returncode == 0, done.stderr
        found: dict[str, list[dict[str, object]]] = json.loads(done.stdout)
        return found

    def buy(self, *, pay: bool = True) -> SeenOrder:
        return asyncio.run(self._buy(pay=pay))

    async def _buy(self, *, pay: bool) -> SeenOrder:
        async with Customer(self.shop.urls) as customer:
            await customer.sign_in(EMAIL, PASSWORD)
            products = await customer.products()
            product = max(products, key=lambda one: int(str(one["price"])) * (one["stock"] != 0))
            order = await customer.purchase([(int(str(product["id"])), 1)], key=str(uuid.uuid4()))
            if not pay:
                return order
            await customer.pay(f"{order.order_id}-1")
            return await customer.until(order.order_id, "PAID", timeout_s=60, every_s=0.05)

    async def _pay_again(self, order: SeenOrder) -> None:
        runtime = await open_runtime(Settings(data_dir=str(self.folder / ".kessai")), part="docs")
        second = PaymentSucceeded(
            event_id=f"second-{order.order_id}",
            occurred_at=wire(runtime.clock.now_ms()),
            order_id=order.order_id,
            merchant_payment_id=f"{order.order_id}-2",
            provider="PayPay",
            amount=order.amount,
        )
        message = Message(PAYMENTS_TOPIC, order.order_id, write_event(second))
        try:
            await runtime.bus.publish([message])
        finally:
            await runtime.bus.close()
            await runtime.http.close()

    def run(self, command: Command, known: dict[str, str]) -> Ended:
        text = self.filled(command.text, known)
        if command.stays:
            ended = self._stay(command, text)
        else:
            try:
                done = self._shell(text)
            except subprocess.TimeoutExpired:
                ended = Ended(command, text, 124, "", f"no end within {COMMAND_S:.0f} s")
            else:
                ended = Ended(command, text, done.returncode, done.stdout, done.stderr)
        self.ran.append(ended)
        return ended

    def _shell(self, text: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-c", text],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def wait_ready(self) -> None:
        """The door answers before the last of the others does."""
        urls = self.shop.urls
        end_s = time.monotonic() + READY_S
        for url in (urls.firebase, urls.paypay, urls.shop):
            while time.monotonic() < end_s:
                try:
                    urllib.request.urlopen(f"{url}/actuator/health", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)

    def calm(self) -> None:
        """What a block broke on purpose is whole again for the next."""
        body = json.dumps({"webhooks": None, "api": None}).encode()
        head = {"Content-Type": "application/json"}
        url = f"{self.shop.urls.paypay}/sim/faults"
        urllib.request.urlopen(
            urllib.request.Request(url, body, head, method="PUT"), timeout=10
        ).close()

    def environment(self, **more: str) -> dict[str, str]:
        path = f"{self.folder.parent}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        source = f"{ROOT}/src"
        shown = {"PATH": path, "PYTHONPATH": source, "COLUMNS": "120"}
        return self.shop.environment({**shown, **more})

    def _stay(self, command: Command, text: str) -> Ended:
        """It must say something, be there still a moment later, and end well when it is told to.

        With ports and data of its own, beside the system; signals reach the program itself.
        """
        apart = self.folder.parent / f"apart-{len(self.ran)}"
        more = {
            "KESSAI_DATA_DIR": str(apart),
            "KESSAI_PORT_OFFSET": str(free_offset()),
            "PATH": f"{self.folder.parent}/whole:{os.environ['PATH']}",
        }
        log = apart.with_suffix(".log")
        with log.open("wb") as file:
            process = subprocess.Popen(
                ["bash", "-c", f"exec {text}"],
                cwd=self.folder,
                env=self.environment(**more),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        end_s = time.monotonic() + STAYS_S
        while not log.stat().st_size and process.poll() is None and time.monotonic() < end_s:
            time.sleep(0.05)
        time.sleep(0.5)
        code = process.poll()
        if code is None:
            process.send_signal(signal.SIGTERM)
            code = process.wait(STAYS_S)
        elif code == 0:
            code = 70
        return Ended(command, text, code, log.read_text("utf-8", "replace"), "")


# Words in capitals that a block may name.
FILLERS: Mapping[str, Callable[[System], str]] = {
    "WAITING_ORDER_ID": lambda system: system.buy(pay=False).order_id,
    "ORDER_ID": lambda system: system.order.order_id,
    "ALERT": lambda system: system.alert,
    "SAGA": lambda system: system.saga,
    "DAY": lambda system: system.today,
}


@contextmanager
def a_system(folder: Path, **env: str) -> Iterator[System]:
    work, tools, whole = folder / "work", folder / "bin", folder / "whole"
    for made in (work / "images", tools, whole):
        made.mkdir(parents=True)
    (whole / "kessai").write_text(f'#!/bin/sh\nexec {sys.executable} -m kessai "$@"\n', "utf-8")
    (whole / "kessai").chmod(0o755)
    address = tools / "socket"
    with subprocess.Popen(
        [sys.executable, "-m", "tests.docs.quick", str(address)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src:{ROOT}"},
        stdout=subprocess.PIPE,
    ) as loaded:
        try:
            quick.client(tools / "kessai", address)
            settings = {"KESSAI_DATA_DIR": str(work / ".kessai"), **env}
            with processes(folder, **settings) as shop:
                shop.start("up")
                assert loaded.stdout is not None
                assert loaded.stdout.readline() == b"ready\n"
                system = System(shop, work)
                system.wait_ready()
                _write_files(system)
                yield system
        finally:
            loaded.terminate()


def _write_files(system: System) -> None:
    """What the blocks name, as their readers would have it."""
    work = system.folder
    shutil.copy(ROOT / "src/kessai/order/statelang/order_create_saga.json", work / "order.json")
    shutil.copy(ROOT / "tests/saga/cases/runs.json", work / "cases.json")
    _write_products(work)
    for name in ("src", "tests", "deploy", "docs", "compose.yaml"):
        (work / name).symlink_to(ROOT / name)
    assert system.order
    base = f"{system.shop.urls.paypay}/sim/settlement/{system.today}"
    wish = urllib.request.Request(base, data=b"{}", method="POST")
    with urllib.request.urlopen(wish, timeout=10) as answer:
        made = json.load(answer)["path"]
    with urllib.request.urlopen(made, timeout=10) as answer:
        (work / "transaction.csv").write_bytes(answer.read())


def _write_products(work: Path) -> None:
    with (ROOT / "src/kessai/storage/catalogue.csv").open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    first["imageFile"] = "photo.png"
    with (work / "products.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, list(first))
        rows.writeheader()
        rows.writerow(first)
    Image.new("RGB", (400, 300), "#C79A6B").save(work / "images" / "photo.png")
