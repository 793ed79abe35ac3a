"""One API server and one set of hosts for all tests of a worker; each world begins with a new cluster behind it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.schedulers.k3s.fake_kubernetes import Kubernetes, Server
from tests.schedulers.k3s.world import Box, boxes


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    made = Server(Kubernetes())
    yield made
    made.close()


@pytest.fixture(scope="session")
def hosts(server: Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Box]:
    return boxes(tmp_path_factory.mktemp("k3s"), server.url)
