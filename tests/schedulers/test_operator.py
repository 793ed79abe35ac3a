"""``coreops drain`` and ``uncordon`` with the toy: what is refused, what is said, what stands on the nodes."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.errors import UnreachableError
from coreops.events import Emit
from coreops.model import ShellStep
from coreops.schedulers import registry
from coreops.schedulers.hands import Hands
from coreops.upgrade.drain.survey import CORDON
from coreops.upgrade.ledger import connect
from coreops.upgrade.ledger.book import Book
from tests.schedulers.fakes import ToyEngine
from tests.schedulers.toy import Machine, ToyWorld
from tests.support.ledger import Memory, holder

pytestmark = pytest.mark.usefixtures("toy")

HOSTS = """\
all:
  vars: {scheduler: toy, ansible_connection: local}
  hosts:
    m1: {ansible_host: 127.0.0.1, scheduler_role: manager}
    m2: {ansible_host: 127.0.0.2, scheduler_role: manager}
    m3: {ansible_host: 127.0.0.3, scheduler_role: manager}
    w1: {ansible_host: 127.0.0.4}
    w2: {ansible_host: 127.0.0.5}
    apart: {ansible_host: 127.0.0.6, scheduler: none}
"""


@dataclass
class Site:
    world: ToyWorld
    engine: ToyEngine
    places: Memory
    capsys: pytest.CaptureFixture[str]
    root: Path

    def call(self, *argv: str, expect: int = 0) -> tuple[str, str]:
        code = dispatch(argv)
        out, err = self.capsys.readouterr()
        assert code == expect, out + err
        return out, err

    def reason(self, host: str) -> str | None:
        path = Path(f"{self.root / host}{CORDON}")
        return path.read_text() if path.exists() else None

    def cordoned(self) -> list[str]:
        return [host for host in self.world.engine.nodes if not self.world.open(host)]


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    (tmp_path / "hosts.yml").write_text(HOSTS)
    monkeypatch.setenv("COREOPS_INVENTORY", str(tmp_path / "hosts.yml"))
    world, places = ToyWorld(), Memory()
    engine = ToyEngine(world, tmp_path / "nodes")
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds
        world.tick()

    def over(targets: object, emit: Emit, *, run: str) -> Hands:
        return Hands(engine, emit, clock=lambda: now[0], sleep=sleep)  # type: ignore[arg-type]

    monkeypatch.setattr(Hands, "over", over)
    monkeypatch.setattr(connect, "open_ledger", lambda inventory, holder, ask, ask_on: Book(places, holder))
    return Site(world, engine, places, capsys, tmp_path / "nodes")


def test_drained_and_taken_back(site: Site) -> None:
    word = site.world.start("w1")
    out, err = site.call("drain", "w1", "--reason", "new disk; $(reboot) `x` 'y'")
    assert out == "w1: drained\n"
    assert err == "coreops: w1: no new work; now what runs there is moved\ncoreops: w1: drained\n"
    assert site.cordoned() == ["w1"]
    assert site.world.running("w1") == 0
    assert word
    assert site.reason("w1") == "new disk; $(reboot) `x` 'y'\n"
    out, _ = site.call("drain", "w1")
    assert out == "w1: drained\n"
    assert site.reason("w1") == "new disk; $(reboot) `x` 'y'\n", "a reason that stands there stays"
    site.call("drain", "w1", "--reason", "again")
    assert site.reason("w1") == "again\n"
    assert site.call("uncordon", "w1")[0] == "w1: takes work\n"
    assert site.cordoned() == []
    assert site.reason("w1") is None
    assert site.call("uncordon", "w1")[0] == "w1: takes work\n"


def test_nodes(site: Site) -> None:
    site.world.start("w1")
    site.world.engine.nodes["old"] = Machine("worker", alive=False)
    del site.world.engine.nodes["w2"]
    site.call("drain", "m2")
    lines = [line.split() for line in site.call("nodes")[0].splitlines()]
    assert [line[0] for line in lines] == ["node", "m1", "m2", "m3", "w1", "w2", "apart", "id-old"]
    assert lines[1][1:5] == ["manager", "(leader)", "ready", "open"]
    assert lines[2][1:6] == ["manager", "ready", "drained", "operator", "0"]
    assert lines[4][1:6] == ["worker", "ready", "open", "-", "1"]
    assert [line[2] for line in lines[5:7]] == ["missing", "apart"]
    assert lines[7][1:6] == ["(not", "in", "the", "inventory)", "worker"]
    found = {each["host"]: each for each in map(json.loads, site.call("nodes", "--json")[0].splitlines())}
    assert (found["m2"]["cordoned"], found["m2"]["drained"], found["m2"]["stray"]) == ("operator", True, False)
    assert (found["id-old"]["state"], found["id-old"]["stray"]) == ("down", True)
    assert found["w1"]["running"] == 1


def test_all_are_closed_before_the_first_is_drained(site: Site) -> None:
    site.world.start("w1")
    site.world.start("w2")
    order: list[str] = []
    site.engine.on_step = lambda host, step: order.append(
        json.loads(step.env["TOY"]).get("availability", "") if "TOY" in step.env else step.id
    )
    site.call("drain", "w1:w2", "m3")
    words = [word for word in order if word in ("pause", "drain") or word.startswith("cordoned")]
    assert [word.partition("-")[0] for word in words] == ["cordoned"] * 3 + ["pause"] * 3 + ["drain"] * 3
    assert sorted(site.cordoned()) == ["m3", "w1", "w2"]
    assert "coreops drain" in (site.reason("m3") or "")


def test_json(site: Site) -> None:
    site.world.start("w2", stubborn=True)
    out, err = site.call("drain", "w1", "w2", "--patience", "1s", "--json", expect=1)
    first, second = (json.loads(line) for line in out.splitlines() if '"node"' in line)
    assert first == {"event": "node", "host": "w1", "state": "drained", "error": None}
    assert (second["host"], second["state"]) == ("w2", "cordoned")
    assert second["error"]["why"] == "still there: web.1 (running)"
    assert "not done within 1 s" in err


def test_work_that_does_not_stop_is_named(site: Site) -> None:
    word = site.world.start("w1", stubborn=True)
    out, err = site.call("drain", "w1", "--patience", "1", expect=1)
    assert out == "w1: cordoned: it takes no new work, but it is not drained\n"
    assert word in err
    assert site.world.running("w1") == 1
    site.world.let_go()
    assert site.call("drain", "w1")[0] == "w1: drained\n"


def test_the_last_node_is_kept(site: Site) -> None:
    _, err = site.call("drain", "m*", "w*", expect=4)
    assert "no node of toy would take work any more" in err
    assert site.cordoned() == []
    assert site.reason("w1") is None
    site.call("drain", "m*", "w1")
    _, err = site.call("drain", "w2", expect=4)
    assert "only w2 take" in err
    site.call("drain", "w2", "--yes")
    assert len(site.cordoned()) == 5
    site.call("drain", "w2")


def test_an_upgrade_that_holds_a_node_is_left_alone(site: Site) -> None:
    book = Book(site.places, holder("run-1", "ci@ci-4"))
    book.acquire("w1", reason="upgrade")
    for verb in ("drain", "uncordon"):
        _, err = site.call(verb, "w1", "w2", expect=4)
        assert "w1 is in the hands of an upgrade" in err
        assert "ci@ci-4" in err
    assert site.cordoned() == []
    site.call("drain", "w2")


def test_leases_that_cannot_be_read(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(*args: object) -> Book:
        raise UnreachableError("tcp", "no host of the store could be asked")

    monkeypatch.setattr(connect, "open_ledger", nobody)
    site.call("drain", "w1", expect=3)
    _, err = site.call("drain", "w1", "--force")
    assert "whether an upgrade holds these nodes is not known" in err


def test_a_node_that_cannot_be_reached_is_cordoned_all_the_same(site: Site) -> None:
    site.engine.down = {"w1", "m1"}
    out, err = site.call("drain", "w1")
    assert out == "w1: drained\n"
    assert "w1: it could not be told that it is cordoned: cannot connect" in err
    assert site.cordoned() == ["w1"]
    out, err = site.call("uncordon", "w1", expect=3)
    assert site.cordoned() == []


def test_no_manager_answers(site: Site) -> None:
    site.engine.down = {"m1", "m2", "m3"}
    _, err = site.call("drain", "w1", expect=3)
    assert "m1, m2, m3: list the nodes of toy: no host could be asked" in err
    _, err = site.call("uncordon", "w1", expect=3)
    assert site.cordoned() == []


def test_a_scheduler_that_cannot_write_leaves_no_mark_but_the_one_that_stood_there(site: Site) -> None:
    (site.root / f"w2{CORDON}").parent.mkdir(parents=True)
    (site.root / f"w2{CORDON}").write_text("a bad disk\n")

    def lose(host: str, step: ShellStep) -> None:
        if "write" in step.env.get("TOY", ""):
            site.world.engine.down = {"m1", "m2", "m3"}

    site.engine.on_step = lose
    out, err = site.call("drain", "w1", "w2", "--reason", "later", "--force", expect=1)
    assert out == "w1: not changed\nw2: not changed\n"
    assert "no host could be asked" in err
    assert (site.reason("w1"), site.reason("w2")) == (None, "later\n")
    assert site.cordoned() == []


def test_ctrl_c_leaves_what_is_said_and_can_be_finished(site: Site) -> None:
    site.world.start("w1", stubborn=True)
    site.engine.on_step = lambda host, step: setattr(
        site.engine, "interrupted", '"drain"' in step.env.get("TOY", "") and "availability" in step.env["TOY"]
    )
    out, err = site.call("drain", "w1", "w2", expect=5)
    assert "w1: cordoned: it takes no new work, but it is not drained" in out
    assert "stopped by the operator" in err
    assert sorted(site.cordoned()) == ["w1", "w2"]
    site.world.let_go()
    site.engine.on_step = lambda host, step: None
    site.engine.interrupted = False
    assert site.call("drain", "w1", "w2")[0] == "w1: drained\nw2: drained\n"


def test_a_stray_is_drained_by_its_name(site: Site) -> None:
    site.world.engine.nodes["old"] = Machine("worker")
    site.world.start("old")
    assert site.call("drain", "id-old", "w1")[0] == "id-old: drained\nw1: drained\n"
    assert sorted(site.cordoned()) == ["old", "w1"]
    assert site.call("uncordon", "id-old")[0] == "id-old: takes work\n"
    assert site.cordoned() == ["w1"]


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("drain", "w1", "--patience", "soon"), "--patience is not usable"),
        (("drain", "w1", "--patience", "0"), "--patience is not usable"),
        (("drain", "w1", "--reason", "a\nb"), "--reason must be one line"),
    ],
)
def test_bad_input_touches_nothing(site: Site, argv: tuple[str, ...], said: str) -> None:
    _, err = site.call(*argv, expect=2)
    assert said in err
    assert not site.engine.asked


def test_a_name_that_nobody_knows(site: Site) -> None:
    for name, said in (
        ("w9", "no host or group is named 'w9'"),
        ("apart", "host apart takes no part in toy"),
        ("localhost", "host localhost takes no part in toy"),
    ):
        for verb in ("drain", "uncordon"):
            _, err = site.call(verb, "w1", name, expect=2)
            assert said in err
    assert site.cordoned() == []


def test_an_inventory_without_a_scheduler(site: Site, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(HOSTS.replace("scheduler: toy", "scheduler: none"))
    for verb in ("drain", "uncordon"):
        _, err = site.call(verb, "w1", expect=2)
        assert "the inventory has no scheduler" in err
        assert all(name in err for name in registry.PREFIXES)
