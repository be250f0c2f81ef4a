"""One simulator for the lane, over http and TLS, and the SDKs that talk to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import httpx2
import pytest
from tests.sdk.lane import Sdk, node_sdk, python_sdk
from tests.sdk.simulator import Simulator
from tests.support.process import Processes, is_free, processes

from kessai.topology import PAYPAY_SIMULATOR


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    folder = tmp_path_factory.mktemp("sdk")
    with processes(folder) as system:
        tls_port = _free_port(system)
        system.start("sim", "--tls-port", str(tls_port), "paypay")
        url = f"http://127.0.0.1:{PAYPAY_SIMULATOR.port + system.offset}"
        with httpx2.Client(base_url=url) as client:
            certificate = folder / "data" / "tls" / "certificate.pem"
            yield Simulator(url, f"https://127.0.0.1:{tls_port}", certificate, client)


def _free_port(system: Processes) -> int:
    ports = range(8400 + system.offset, 8500 + system.offset)
    return next(port for port in ports if is_free(port))


@pytest.fixture
def simulator(running: Simulator) -> Simulator:
    """With an empty book and quick refunds and cancels."""
    assert running.client.post("/sim/reset").status_code == 200
    running.faults(behaviour={"refundDelayMs": 100, "cancelDelayMs": 100})
    return running


@pytest.fixture(scope="session")
def started(running: Simulator) -> Iterator[Callable[[str], Sdk]]:
    """Each SDK is one process for the whole lane, as it would be in a shop."""
    known: dict[str, Sdk] = {}
    with ExitStack() as stack:

        def start(name: str) -> Sdk:
            if name not in known:
                url = running.url if name == "python-http" else running.tls_url
                sdk = (node_sdk if name == "node-tls" else python_sdk)(url, running.certificate)
                stack.callback(sdk.stop)
                known[name] = sdk
            return known[name]

        yield start


@pytest.fixture(params=["python-http", "python-tls", "node-tls"])
def sdk(request: pytest.FixtureRequest, started: Callable[[str], Sdk], simulator: Simulator) -> Sdk:
    return started(request.param)
