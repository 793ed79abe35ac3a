"""What etcd on real nodes says of its quorum, before a machine may go."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from coreops.cli import _quorum
from coreops.cli._dispatch import dispatch
from coreops.cli._quorum import View, check
from coreops.errors import RefusedError
from coreops.inventory import load_inventory
from coreops.providers.namespace.lab import Lab

pytestmark = pytest.mark.lab

ALL = frozenset({"n1", "n2", "n3"})


@pytest.fixture(scope="module")
def own(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    name = f"q{os.getpid()}"
    try:
        yield Lab.up(name, nodes=3, zones=3, inventory_folder=tmp_path_factory.mktemp("quorum") / "lab")
    finally:
        Lab.down(name)


def told(lab: Lab, *gone: str) -> str:
    return check(load_inventory(lab.inventory), lab.inventory, dict.fromkeys(gone, ""), allowed=False, all_may_go=True)


def test_etcd_is_asked_before_a_member_goes(own: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.inventory.parent)
    assert _quorum.ask(own.inventory, {}) == View(frozenset(), frozenset())
    assert told(own, "n1") == "", "there is no store yet"
    assert dispatch(["bootstrap", str(own.inventory)]) == 0
    assert _quorum.ask(own.inventory, {}) == View(ALL, ALL)
    assert "2 of 3 are well" in told(own, "n1")
    with pytest.raises(RefusedError, match="without n1, n2"):
        told(own, "n1", "n2")
    own.chaos("n2", "kill")
    assert _quorum.ask(own.inventory, {}) == View(ALL, ALL - {"n2"})
    assert "2 of 3 are well" in told(own, "n2"), "one that is dead may go"
    with pytest.raises(RefusedError, match="without n1"):
        told(own, "n1")
