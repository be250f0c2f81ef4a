"""Whatever is sent to the door by its own description, it never answers with a 5xx."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from tests.support.process import Processes, processes

from kessai.proof.customer import Customer

pytestmark = [
    pytest.mark.crash,
    pytest.mark.network,
    pytest.mark.xdist_group("fuzz"),
    pytest.mark.timeout(300),
]
EXAMPLES = 25


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Processes]:
    with processes(tmp_path_factory.mktemp("fuzz"), KESSAI_CHECKS_PER_MINUTE="100000") as made:
        made.start("up")
        yield made


@pytest.fixture(scope="module")
def cookie(system: Processes) -> str:
    async def sign_in() -> str:
        async with Customer(system.urls) as customer:
            await customer.sign_in("shopper@example.com", "kessai-demo")
            return customer.cookie

    return asyncio.run(sign_in())


@pytest.fixture(scope="module")
def api(system: Processes) -> BaseSchema:
    return schemathesis.openapi.from_url(f"{system.urls.shop}/openapi.json")


schema = schemathesis.pytest.from_fixture("api")


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_makes_the_door_fail(case: Case[Any], cookie: str, system: Processes) -> None:
    case.headers["Cookie"] = cookie
    case.headers["Origin"] = system.urls.shop
    case.call_and_validate(checks=[not_a_server_error])
