"""Talks with hosts: real shells behind a transport that can be made to fail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreops.engine.engine import Engine
from coreops.errors import CoreopsError, HostFailed, InterruptedRun, RefusedError, UnreachableError
from coreops.events import Event
from coreops.inventory import load_inventory
from coreops.model import ShellStep, Target
from coreops.schedulers.hands import Hands, bound, good, quiet
from coreops.schedulers.protocol import Elsewhere, Fenced, Pause, Talk, ask, do
from coreops.store.nodes import Counter
from coreops.transport.fake import FakeTransport, Fault

HOSTS = ("n1", "n2", "n3")


@pytest.fixture
def hosts(tmp_path: Path) -> FakeTransport:
    return FakeTransport(tmp_path)


@pytest.fixture
def events() -> list[Event]:
    return []


@pytest.fixture
def hands(hosts: FakeTransport, events: list[Event]) -> Iterator[Hands]:
    targets = {name: Target(name=name, address=name, transport="fake") for name in HOSTS}
    engine = Engine(targets, quiet(events.append), run="test", transport=hosts, reconnect=0.0)
    made = Hands(engine, events.append, leaderless=0.0)
    yield made
    made.close()


def shell(script: str, **more: object) -> ShellStep:
    return ShellStep(id="s", title="try it", act=script, **more)  # type: ignore[arg-type]


def where() -> Talk[str]:
    record = yield from do(shell('echo "${HOME##*/}"'))
    return record.stdout.decode().strip()


def test_a_talk_runs_on_the_first_host(hands: Hands) -> None:
    assert hands.talk(HOSTS, lambda: said("one", "two"), title="t") == ["one", "two"]
    assert hands.exchanges == {"n1": 2}


def said(*words: str) -> Talk[list[str]]:
    found = []
    for word in words:
        record = yield from do(shell('printf %s "$WORD"', env={"WORD": word}))
        assert record.step == "s"
        found.append(record.stdout.decode())
    return found


def test_a_record_of_a_failed_step_comes_back(hands: Hands) -> None:
    def talk() -> Talk[int]:
        return (yield from ask(shell("exit 9"))).rc

    assert hands.talk(HOSTS, talk) == 9


def test_what_fails_says_on_which_host(hands: Hands) -> None:
    with pytest.raises(HostFailed, match="could not try it") as caught:
        hands.talk(HOSTS, lambda: do(shell("echo no room >&2; exit 1")))
    assert (caught.value.where, caught.value.why) == ("n1", "no room")


def test_what_a_secret_step_says_is_not_repeated(hands: Hands) -> None:
    with pytest.raises(HostFailed) as caught:
        hands.talk(HOSTS, lambda: do(shell("echo t0ken >&2; exit 3", secret=True)))
    assert (caught.value.where, caught.value.why) == ("n1", "exit 3")


@pytest.mark.parametrize("kind", [Fenced, RefusedError, HostFailed])
def test_errors_of_a_talk_pass_through(hands: Hands, kind: type[CoreopsError]) -> None:
    def talk() -> Talk[None]:
        yield from ask(shell("true"))
        raise kind("no")

    with pytest.raises(kind) as caught:
        hands.talk(HOSTS, talk)
    assert type(caught.value) is kind
    assert caught.value.where == "n1"
    assert hands.exchanges == {"n1": 1}


def test_the_talk_begins_again_where_a_host_is_lost(hands: Hands, hosts: FakeTransport) -> None:
    hosts.faults = {"n1": Fault(refuse="tcp"), "n2": Fault(drop_before=b"second")}
    assert hands.talk(HOSTS, lambda: said("first", "second")) == ["first", "second"]
    assert hands.exchanges["n3"] == 2


def test_the_talk_begins_again_where_a_host_cannot_speak_for_the_cluster(hands: Hands) -> None:
    def talk() -> Talk[str]:
        name = yield from where()
        if name != "n3":
            raise Elsewhere("no leader")
        return name

    assert hands.talk(HOSTS, talk) == "n3"
    with pytest.raises(HostFailed, match="ask: no host could be asked") as caught:
        hands.talk(HOSTS[:2], talk, title="ask")
    assert caught.value.where == "n1, n2"
    assert caught.value.why == "n1: no leader; n2: no leader"
    with pytest.raises(Elsewhere) as alone:
        hands.talk(HOSTS[:1], talk)
    assert alone.value.where == "n1"


def test_an_election_is_waited_for(hosts: FakeTransport) -> None:
    now, asked = [0.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    def make() -> Talk[str]:
        asked.append(now[0])
        yield from ()
        if now[0] < wait:
            raise Elsewhere("no leader")
        return "done"

    engine = Engine({}, lambda event: None, run="test", transport=hosts)
    hands = Hands(engine, lambda event: None, clock=lambda: now[0], sleep=sleep)
    wait = 5.0
    assert hands.talk(HOSTS, make) == "done"
    assert asked[:4] == [0.0, 0.0, 0.0, pytest.approx(1.0)]
    wait = 1000.0
    for patience, end in ((180.0, 20.0), (7.0, 7.0)):
        began = now[0]
        with pytest.raises(HostFailed, match="no host could be asked"):
            hands.talk(HOSTS, make, patience=patience)
        assert end <= now[0] - began < end + 2


def test_a_host_that_was_lost_is_asked_last(hands: Hands, hosts: FakeTransport) -> None:
    hosts.faults = {"n1": Fault(refuse="tcp")}
    assert hands.talk(HOSTS, where) == "n2"
    hosts.faults = {}
    assert hands.talk(HOSTS, where) == "n2"
    assert hands.talk(["n1"], where) == "n1"


def test_nobody_answers(hands: Hands, hosts: FakeTransport) -> None:
    hosts.faults = {name: Fault(refuse="tcp") for name in HOSTS}
    with pytest.raises(UnreachableError) as caught:
        hands.talk(HOSTS, where, title="ask")
    assert caught.value.where == "n1, n2, n3"
    with pytest.raises(HostFailed, match="there is no host to hold it on"):
        hands.talk((), where, title="ask")


def test_patience_ends_with_what_is_waited_for(hands: Hands) -> None:
    def talk() -> Talk[None]:
        while True:
            yield Pause(("web.1 (running)", "db.1 (running)"), 0.0)

    with pytest.raises(HostFailed, match=r"drain n2: not done within 0\.05 s") as caught:
        hands.talk(HOSTS, talk, patience=0.05, title="drain n2")
    assert caught.value.why == "still there: web.1 (running); db.1 (running)"


def test_patience_that_ends_in_a_pause_with_an_error_of_its_own_goes_on_elsewhere(hands: Hands) -> None:
    asked = []

    def talk() -> Talk[None]:
        asked.append(len(asked))
        while len(asked) == 1:
            yield Pause(("an answer",), 0.0, Elsewhere("it has no leader"))
        raise Elsewhere("its agent does not run")

    with pytest.raises(HostFailed) as caught:
        hands.talk(["n1", "n2"], talk, patience=0.05, title="list the nodes")
    assert "n1: it has no leader" in str(caught.value.why)
    assert "n2: its agent does not run" in str(caught.value.why)
    assert len(asked) == 2


def test_pauses_take_their_time(hosts: FakeTransport) -> None:
    now, slept = [0.0], []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        now[0] += seconds

    def talk() -> Talk[str]:
        yield Pause(("x",), 0.25)
        return "done"

    engine = Engine({}, lambda event: None, run="test", transport=hosts)
    hands = Hands(engine, lambda event: None, clock=lambda: now[0], sleep=sleep)
    assert hands.talk(["n1"], talk) == "done"
    assert sum(slept) == pytest.approx(0.25)


def test_a_stopped_run_ends_pauses_and_talks(hands: Hands) -> None:
    ended = []

    def talk() -> Talk[None]:
        try:
            while True:
                yield Pause(("web.1",), 5.0)
        finally:
            ended.append(True)

    hands.engine.stop()
    with pytest.raises(InterruptedRun) as caught:
        hands.talk(HOSTS, talk)
    assert "web.1" in (caught.value.why or "")
    assert ended
    with pytest.raises(InterruptedRun):
        hands.talk(HOSTS, where)


def test_many_talks_at_once(hands: Hands, hosts: FakeTransport) -> None:
    hosts.faults = {"n2": Fault(refuse="auth")}
    met = threading.Barrier(2)

    def make(host: str) -> Talk[str]:
        if host != "n2":
            met.wait(60)
        return (yield from where())

    found = hands.talks({host: (host,) for host in HOSTS}, make)
    assert (found["n1"], found["n3"]) == ("n1", "n3")
    assert isinstance(found["n2"], UnreachableError)
    with pytest.raises(UnreachableError):
        good(found)
    assert hands.every(("n1", "n3"), lambda host: where()) == {"n1": "n1", "n3": "n3"}


def test_several_talks_share_a_host(hands: Hands) -> None:
    """One that pauses keeps nobody from being asked there."""
    turns = {"a": threading.Event(), "b": threading.Event()}

    def make(key: str) -> Talk[list[str]]:
        found = []
        for word in ("one", "two"):
            found += yield from said(f"{key} {word}")
            turns[key].set()
            while not turns["b" if key == "a" else "a"].is_set():
                yield Pause(("the other",), 0.01)
        return found

    found = good(hands.talks({"a": ("n1",), "b": ("n1",)}, make, patience=20))
    assert found == {"a": ["a one", "a two"], "b": ["b one", "b two"]}


def test_a_bug_in_a_talk_is_no_error_of_a_host(hands: Hands) -> None:
    def make(host: str) -> Talk[None]:
        yield from ask(shell("true"))
        raise KeyError(host)

    with pytest.raises(KeyError):
        hands.talks({"n1": ("n1",)}, make)


def test_errors_of_many_become_one() -> None:
    lost = UnreachableError("tcp", "cannot connect")
    with pytest.raises(UnreachableError) as caught:
        good({"n1": HostFailed("no"), "n2": lost, "n3": lost, "n4": 1})
    assert caught.value.where == "n2, n3"
    with pytest.raises(HostFailed, match="no") as failed:
        good({"n1": HostFailed("no"), "n2": HostFailed("nor here")})
    assert failed.value.where == "n1, n2"
    with pytest.raises(Fenced):
        good({"n1": Fenced("newer"), "n2": Fenced("newer")})
    assert good({"n1": 1}) == {"n1": 1}


PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - {name: Write, copy: {dest: "{{ place }}/{{ inventory_hostname }}", content: hello}, tags: [install]}
    - {name: Other, command: "false", tags: [other]}
"""


def test_a_part_of_a_playbook(hands: Hands, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {n1: {}, n2: {}, n3: {}}}\n")
    (tmp_path / "toy.yml").write_text(PLAYBOOK)
    (tmp_path / "out").mkdir()
    inventory = load_inventory(tmp_path / "hosts.yml")
    out = tmp_path / "out"
    extra = {"place": str(out)}

    def play(tags: list[str], hosts: list[str]) -> dict[str, int]:
        return hands.play(tmp_path / "toy.yml", inventory, tags, hosts, extra)

    assert play(["install"], ["n1", "n3"]) == {"n1": 1, "n3": 1}
    assert sorted(path.name for path in out.iterdir()) == ["n1", "n3"]
    assert play(["install"], ["n1", "n3"]) == {}
    assert hands.changed == {"n1": 1, "n3": 1}
    with pytest.raises(HostFailed) as caught:
        play(["other"], ["n2"])
    assert caught.value.where == "n2"
    assert play(["install"], []) == {}


def test_a_look_and_what_a_playbook_would_change_are_one_exchange(hands: Hands, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {n1: {}, n2: {}, n3: {}}}\n")
    (tmp_path / "toy.yml").write_text(PLAYBOOK)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "n1").write_text("hello")
    inventory = load_inventory(tmp_path / "hosts.yml")

    def audit(tags: list[str], make: Callable[[str], Talk[str]]) -> tuple[dict[str, str], dict[str, str]]:
        nonlocal counter
        counter = Counter(None)
        extra = {"place": str(tmp_path / "out")}
        plays = bound(tmp_path / "toy.yml", inventory, tags, ["n1", "n2"], extra, counter, check=True)
        return hands.audit(HOSTS, make, plays)

    counter = Counter(None)
    assert audit(["install"], lambda host: where()) == ({name: name for name in HOSTS}, {})
    assert counter.changed == {"n2": 1}
    assert hands.exchanges == dict.fromkeys(HOSTS, 1)
    assert not (tmp_path / "out" / "n2").exists()

    def longer(host: str) -> Talk[str]:
        yield Pause(("a moment",), 0.01)
        first = yield from where()
        yield Pause(("a moment",), 0.01)
        record = yield from ask(shell("exit 3"))
        return f"{first} {record.rc}"

    assert audit(["install"], longer)[0]["n3"] == "n3 3"
    assert counter.changed == {"n2": 1}

    def bad(host: str) -> Talk[str]:
        yield from ask(shell("true"))
        raise RefusedError("no") if host == "n2" else HostFailed("no")

    with pytest.raises(RefusedError) as caught:
        hands.audit(["n2"], bad, ())
    assert caught.value.where == "n2"
