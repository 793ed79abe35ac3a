"""When a render that was replaced is read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from coreops.cloudconfig.folder import write
from coreops.delivery.serving import run
from coreops.delivery.serving.load import mark
from coreops.serving.server import Server
from tests.delivery.serving.test_load import files


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], bool]]:
    """What the server, which serves nothing here, was given to look with."""
    given: list[Callable[[], bool]] = []

    def serve(server: Server, reload: Any, tell: Any, changed: Callable[[], bool]) -> None:
        given.append(changed)

    monkeypatch.setattr(run.serving, "run", serve)
    return given


def test_also_one_that_was_replaced_before_the_first_look(tmp_path: Path, looks: list[Callable[[], bool]]) -> None:
    write(tmp_path / "out", files({"n1": b"one"}))
    seen = mark(tmp_path / "out")
    write(tmp_path / "out", files({"n1": b"two"}))
    run.run(cast(Server, None), tmp_path / "out", seen, lambda everything: None, print)
    assert [looks[0](), looks[0]()] == [True, False]


def test_not_one_that_stays_or_is_gone(tmp_path: Path, looks: list[Callable[[], bool]]) -> None:
    write(tmp_path / "out", files({"n1": b"one"}))
    run.run(cast(Server, None), tmp_path / "out", mark(tmp_path / "out"), lambda everything: None, print)
    assert not looks[0]()
    (tmp_path / "out").rename(tmp_path / "away")
    assert not looks[0]()
    (tmp_path / "away").rename(tmp_path / "out")
    assert not looks[0]()
    write(tmp_path / "out", files({"n1": b"two"}))
    assert looks[0]()
