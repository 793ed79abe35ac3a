"""The ledger on real nodes: in etcd over SSH while nodes go away, and as markers where there is no etcd."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from coreops.cli._dispatch import dispatch
from coreops.errors import UnreachableError
from coreops.inventory import load_inventory, target
from coreops.providers.namespace.lab import Lab
from coreops.upgrade.cluster.asking import Asking
from coreops.upgrade.ledger.book import Book
from coreops.upgrade.ledger.connect import ledger_hosts, open_ledger
from coreops.upgrade.ledger.holder import Holder
from coreops.upgrade.ledger.protocol import Busy
from coreops.upgrade.protocol import ROLLOUT

pytestmark = pytest.mark.lab


@contextmanager
def controller(folder: Path, run: str = "") -> Iterator[Book]:
    inventory = load_inventory(folder)
    run = run or f"run-{uuid.uuid4().hex[:8]}"
    asking = Asking({host: target(inventory, host, become=True) for host in ledger_hosts(inventory)}, run=run)
    try:
        yield open_ledger(inventory, Holder.here(run), asking.one, asking.each)
    finally:
        asking.close()


@pytest.fixture(scope="module")
def own(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    name = f"l{os.getpid()}"
    folder = tmp_path_factory.mktemp("ledger")
    try:
        yield Lab.up(name, nodes=3, zones=3, inventory_folder=folder / "lab")
    finally:
        Lab.down(name)


@pytest.fixture(scope="module")
def without_etcd(own: Lab) -> Path:
    """The lab's inventory, but with no group store."""
    folder = own.inventory.parent / "bare"
    folder.mkdir()
    for path in own.inventory.iterdir():
        if path.is_file() and path.name != "hosts.yml":
            (folder / path.name).write_bytes(path.read_bytes())
            (folder / path.name).chmod(0o600)
    whole = yaml.safe_load((own.inventory / "hosts.yml").read_text())["all"]
    hosts = whole["children"]["store"]["hosts"]
    text = yaml.safe_dump({"all": {"vars": whole["vars"], "hosts": hosts}})
    (folder / "hosts.yml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def store(own: Lab) -> Path:
    assert dispatch(["bootstrap", str(own.inventory)]) == 0
    return own.inventory


@pytest.fixture(params=["without_etcd", "store"])
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


def test_of_several_controllers_one_wins(folder: Path) -> None:
    won: list[Book] = []
    lost: list[Busy] = []

    def take(book: Book) -> None:
        try:
            book.acquire(ROLLOUT, reason="storm")
            won.append(book)
        except Busy as error:
            lost.append(error)

    with controller(folder) as a, controller(folder) as b, controller(folder) as c:
        threads = [threading.Thread(target=take, args=(book,)) for book in (a, b, c)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(won), len(lost)) == (1, 2)
        [winner] = won
        operator, other = (book for book in (a, b, c) if book is not winner)
        first = winner.acquire("n2", reason="r").token
        winner.note("n2", "reboot")
        assert [lease.phase for lease in other.held()] == ["", "reboot"]
        operator.force_release("n2", "the test's reason")
        assert other.acquire("n2", reason="r").token > first
        assert [lease.node for lease in winner.renew()] == ["n2"]
        other.release("n2")
        winner.release(ROLLOUT)
        assert a.held() == ()


def test_a_node_that_is_off_stops_nobody_and_most_of_them_stop_everybody(own: Lab, folder: Path) -> None:
    with controller(folder) as book:
        book.acquire(ROLLOUT, reason="r")
        own.chaos("n1", "kill")
        try:
            assert book.renew() == ()
            book.acquire("n2", reason="r")
            own.chaos("n3", "kill")
            if folder == own.inventory:  # two of three members are gone
                with pytest.raises(UnreachableError):
                    book.renew()
            else:
                assert book.renew() == ()
            with controller(folder) as second, pytest.raises((UnreachableError, Busy)):
                second.acquire(ROLLOUT, reason="r")
        finally:
            Lab.up(own.names.lab, inventory_folder=own.inventory)
        own_etcd_answers(folder)
        assert book.renew() == ()
        assert {lease.node for lease in book.held()} == {ROLLOUT, "n2"}
        book.release("n2")
        book.release(ROLLOUT)
        assert book.held() == ()


def own_etcd_answers(folder: Path) -> None:
    """Until the ledger can be asked again."""
    import time

    deadline = time.monotonic() + 60
    with controller(folder) as book:
        while True:
            try:
                book.deny("0.0.0", "", "does it write?")
                book.clear_denial("0.0.0")
                return
            except UnreachableError:
                assert time.monotonic() < deadline


def test_the_commands(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with controller(folder, "run-7f3") as book:
        book.acquire("n1", reason="upgrade to 1.1.0", boot_id="an earlier boot")
        assert dispatch(["locks", "explain", "-i", str(folder)]) == 0
        said = capsys.readouterr().out
        assert "has rebooted since it was leased; it runs 1.0.0 from USR-A." in said
        assert dispatch(["locks", "release", "n1", "-i", str(folder), "--force", "--reason", "it's $(over)"]) == 0
        assert dispatch(["deny", "add", "1.1.0", "-i", str(folder), "--reason", "bad"]) == 0
        assert dispatch(["deny", "list", "-i", str(folder)]) == 0
        assert "1.1.0  denied" in capsys.readouterr().out
        assert dispatch(["deny", "clear", "1.1.0", "-i", str(folder)]) == 0
        assert dispatch(["locks", "audit", "-i", str(folder)]) == 0
        assert "force-release  n1  by " in capsys.readouterr().out
