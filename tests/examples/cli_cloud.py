"""A fake cloud behind a command line on PATH, which keeps it in a folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.examples.fakes.state import opened

FAKES = Path(__file__).parent / "fakes"


class CliCloud:
    """Subclasses know what its machines look like."""

    def __init__(self, program: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "cloud"
        self.folder.mkdir()
        bin = folder / "bin"
        bin.mkdir()
        script = bin / program
        # -S: nothing of the environment's site, which takes longer to load than all the rest
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "{FAKES / program}.py" "$@"\n')
        script.chmod(0o755)
        monkeypatch.setenv("FAKE_CLOUD", str(self.folder))
        monkeypatch.setenv("PATH", f"{bin}:{os.environ['PATH']}")

    def set(self, **what: Any) -> None:
        with opened(self.folder) as state:
            state |= what

    @property
    def machines(self) -> dict[str, Any]:
        with opened(self.folder) as state:
            return dict(state["machines"])

    @property
    def asked(self) -> list[str]:
        with opened(self.folder) as state:
            return list(state["asked"])

    @property
    def told(self) -> dict[str, Any]:
        with opened(self.folder) as state:
            return dict(state["told"])

    def ids(self) -> set[str]:
        return set(self.machines)

    def lose_answers(self, count: int) -> None:
        self.set(lose=count)

    def refuse(self, told: str | None) -> None:
        self.set(refuse=told)

    def vanish(self, identity: str) -> None:
        with opened(self.folder) as state:
            del state["machines"][identity]
