"""A real sshd, and transports that are closed after the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from coreops.transport import Transport, transport_for
from tests.support.sshd import new_sshd, sshd

__all__ = ["new_sshd", "sshd", "transport"]


@pytest.fixture
def transport() -> Iterator[Callable[[str], Transport]]:
    """Make transports by name."""
    made: list[Transport] = []

    def make(name: str) -> Transport:
        made.append(transport_for(name))
        return made[-1]

    yield make
    for each in made:
        each.close()


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads the developer's ssh_config, keys or agent."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a dead command's last words may take longer than coreops waits for them."""
    for module in ("channel", "openssh", "process"):
        monkeypatch.setattr(f"coreops.transport.{module}.LAST_WORDS", 5.0)
