"""One dev server for the lane."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.temporal.server import Server, dev_server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with dev_server(tmp_path_factory.mktemp("temporal")) as made:
        yield made
