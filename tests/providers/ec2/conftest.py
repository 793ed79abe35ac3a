"""One EC2 for all tests of the provider, emptied before each."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from coreops.providers.ec2.clients import Clients
from tests.providers.ec2.cloud import Cloud
from tests.providers.ec2.nodes import AMI

AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Cloud, str, Clients]]:
    pytest.importorskip("boto3")
    # moto brings 1,300 images and makes them anew at each reset.
    images = tmp_path_factory.mktemp("moto") / "images.json"
    images.write_text(json.dumps([{"ami_id": AMI, "root_device_type": "ebs"}]))
    os.environ["MOTO_AMIS_PATH"] = str(images)
    server = pytest.importorskip("moto.server")
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, *args: object) -> None:
            """Nobody reads it."""

    cloud = Cloud(server.DomainDispatcherApplication(server.create_backend_app))
    http = make_server("127.0.0.1", 0, cloud, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    endpoint = f"http://127.0.0.1:{http.server_port}"
    yield cloud, endpoint, Clients(endpoint)
    http.shutdown()
    thread.join()
    http.server_close()
    del os.environ["MOTO_AMIS_PATH"]


@pytest.fixture
def cloud(running: tuple[Cloud, str, Clients], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cloud:
    from moto.moto_api._internal import moto_api_backend

    cloud, endpoint, _ = running
    cloud.clear()
    moto_api_backend.reset()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return cloud


@pytest.fixture
def clients(cloud: Cloud, running: tuple[Cloud, str, Clients]) -> Clients:
    """Shared by the tests: to make clients takes longer than all else."""
    return running[2]
