"""One EC2 for all tests of the provider, emptied before each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.providers.ec2.cloud import Cloud


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[Cloud, str]]:
    pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server")
    from werkzeug.serving import make_server

    cloud = Cloud(server.DomainDispatcherApplication(server.create_backend_app))
    http = make_server("127.0.0.1", 0, cloud, threaded=True)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    yield cloud, f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def cloud(running: tuple[Cloud, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Cloud:

    from moto.moto_api._internal import moto_api_backend

    cloud, endpoint = running
    cloud.clear()
    moto_api_backend.reset()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return cloud
