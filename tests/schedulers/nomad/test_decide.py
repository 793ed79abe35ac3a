"""A cluster comes into being, grows, changes its release and its settings, as the moves say; and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import pytest

from coreops.errors import CoreopsError, RefusedError
from coreops.model import Record, ShellStep
from coreops.schedulers.nomad.adapter import Nomad, make
from coreops.schedulers.protocol import Move, Renews, Settled, Talk
from tests.schedulers.nomad.fake_nomad import FakeNomad
from tests.schedulers.nomad.fake_state import Node, Server
from tests.schedulers.nomad.world import CLIENTS, SERVERS, UNIT, NomadWorld, cluster

T = TypeVar("T")


@dataclass
class Place:
    """What is on one node."""

    wanted: str = "1.7.7"
    current: str = ""
    running: str = ""
    config: int = 1
    started_with: int = 0
    first: bool = False
    raft: bool = False
    installed: bool = True
    more: list[str] = field(default_factory=list)

    def look(self) -> bytes:
        unit = UNIT if self.running else UNIT.replace("=active", "=inactive").replace("=running", "=dead")
        lines = [f"unit {unit}" if self.installed else "unit LoadState=not-found ActiveState=inactive"]
        lines += ["ours yes"] if self.installed else []
        lines += [
            f"current {self.current}",
            f"wanted {self.wanted}",
            f"release {self.current}",
            f"chosen {self.wanted}",
        ]
        lines += ["raft yes"] if self.raft else []
        lines += ["first yes"] if self.first else []
        lines += [f"fingerprint {self.config}", f"started_with {self.started_with or ''}"]
        return "\n".join([*lines, *self.more, ""]).encode()


class Site(NomadWorld):
    """Nodes with nothing on them but what the playbook has installed; playing tags changes them."""

    def __init__(self, nomad: Nomad) -> None:
        super().__init__()
        self.adapter = nomad
        self.nomad = FakeNomad([], [])
        self.places = {name: Place() for name in nomad.cluster.names}
        self.moves: list[Move] = []
        self.before = lambda move: None

    def run(self, host: str, step: ShellStep) -> Record:
        if step.id == "nomad-look":
            return Record(step.id, "ok", stdout=self.places[host].look())
        if not self.places[host].running:
            return Record(step.id, "failed", rc=6, stderr=b"curl: (7) Failed to connect")
        return super().run(host, step)

    def say(self, host: str, talk: Talk[T]) -> T:
        answer = None
        while True:
            try:
                said = talk.send(answer)
            except StopIteration as end:
                value: T = end.value
                return value
            assert isinstance(said, ShellStep)
            answer = self.run(host, said)

    def decide(self) -> Move | Settled:
        return self.adapter.decide({name: self.say(name, self.adapter.look(name)) for name in self.places})

    def settle(self) -> Settled:
        for _ in range(60):
            step = self.decide()
            if isinstance(step, Settled):
                return step
            self.moves.append(step)
            self.play(step.play, step.on)
            for host, make_talk in step.talks.items():
                self.say(host, make_talk())
            self.grow()
        raise AssertionError([move.title for move in self.moves])

    def play(self, tags: Sequence[str], hosts: Sequence[str]) -> None:
        for host in hosts:
            place = self.places[host]
            if "release" in tags:
                place.current = place.wanted
            if "first" in tags:
                place.first = True
            if "formed" in tags:
                place.first = False
            if ("start" in tags and not place.running) or "restart" in tags:
                assert place.current, "there is no release to start"
                place.running, place.started_with = place.current, place.config
                if place.config == 2 and self.token:
                    self.nomad.acl.add(host)
                self._joined(host)

    def _joined(self, host: str) -> None:
        agents: list[Server | Node] = [*self.nomad.servers, *self.nomad.nodes.values()]
        for each in agents:
            if each.name == host:
                each.version, each.status = self.places[host].running, "alive" if isinstance(each, Server) else "ready"
        if not any(node.name == host for node in self.nomad.nodes.values()):
            self.nomad.nodes[host] = Node(host, host, version=self.places[host].running)
        if host in SERVERS and not any(server.name == host for server in self.nomad.servers):
            self.nomad.servers.append(Server(f"id-{host}", host, peer=False, version=self.places[host].running))

    def grow(self) -> None:
        """The servers do what Nomad does by itself: elect a leader, take others in."""
        up = [each for each in self.nomad.servers if self.places[each.name].running]
        if self.nomad.leader is None and len(up) == sum(name in SERVERS for name in self.places):
            assert all(self.places[each.name].first for each in up) or any(self.places[each.name].raft for each in up)
            self.nomad.leader = up[0].name
        if self.nomad.leader:
            for each in up:
                each.peer, self.places[each.name].raft = True, True

    def titles(self) -> list[str]:
        return [move.title for move in self.moves]


@pytest.fixture
def site() -> Site:
    return Site(make(cluster()))


def test_a_cluster_is_formed_once_and_all_at_once(site: Site) -> None:
    assert site.settle() == Settled()
    assert site.moves[0].play == ("first", "release", "start")
    assert site.moves[0].on == tuple(SERVERS)
    assert not any(place.first for place in site.places.values())
    assert site.titles()[1:] == ["forget how the cluster was formed", "start w1, w2"]
    site.moves.clear()
    assert site.settle() == Settled()
    assert site.moves == []


def test_breaking_off_after_any_move_and_going_on_ends_the_same() -> None:
    for number in range(4):
        site = Site(make(cluster()))
        for _ in range(number):
            step = site.decide()
            assert isinstance(step, Move)
            site.play(step.play, step.on)
        site.settle()
        assert sorted(each.name for each in site.nomad.servers if each.peer) == SERVERS
        assert sum(move.play[:1] == ("first",) for move in site.moves) == (number == 0)


def test_a_new_server_joins_without_being_told_to_form_anything(site: Site) -> None:
    site.settle()
    site.moves.clear()
    site.nomad.kill("n2")
    site.nomad.servers = [each for each in site.nomad.servers if each.name != "n2"]
    site.places["n2"] = Place()
    site.settle()
    assert site.titles() == ["start n2"]
    assert not site.places["n2"].first


def test_new_settings_restart_servers_one_by_one_and_the_leader_last(site: Site) -> None:
    site.settle()
    site.moves.clear()
    for place in site.places.values():
        place.config = 2
    site.settle()
    assert [move.on for move in site.moves] == [("n2",), ("n3",), ("n1",), ("w1",), ("w2",)]
    assert all("restart" in move.play for move in site.moves)


def test_no_server_is_restarted_while_another_one_is_not_back(site: Site) -> None:
    site.settle()
    site.nomad.servers[1].status = "failed"
    for place in site.places.values():
        place.config = 2
    step = site.decide()
    assert isinstance(step, Move)
    assert (step.play, step.title) == ((), "wait until n2 votes")


def test_no_server_is_restarted_while_nomad_calls_the_servers_unhealthy(site: Site) -> None:
    """One that was restarted a moment ago is alive long before it has caught up."""
    site.settle()
    site.nomad.servers[1].healthy = False
    for place in site.places.values():
        place.config = 2
    step = site.decide()
    assert isinstance(step, Move)
    assert (step.play, step.title) == ((), "wait until Nomad calls its servers healthy")
    site.nomad.servers[1].healthy = True
    step = site.decide()
    assert isinstance(step, Move)
    assert step.on == ("n2",)


def upgraded(site: Site, version: str) -> None:
    """The inventory wants another release, and the playbook has brought it."""
    site.adapter = make(cluster(version=version))
    for place in site.places.values():
        place.wanted = version


def test_a_release_is_changed_servers_first(site: Site) -> None:
    site.settle()
    site.moves.clear()
    upgraded(site, "1.8.4")
    site.settle()
    assert [move.on for move in site.moves] == [("n2",), ("n3",), ("n1",), ("w1",), ("w2",)]
    assert {each.version for each in site.nomad.nodes.values()} == {"1.8.4"}


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ("1.7.6", "downgrade of Nomad from 1.7.7", "or newer"),
        ("1.10.0", "upgrade of Nomad", "1.9 first"),
        ("2.0.1", "upgrade", "1.9"),
    ],
)
def test_a_release_that_does_not_follow_is_refused_before_anything_is_brought(
    site: Site, wanted: str, message: str, hint: str
) -> None:
    site.settle()
    site.adapter = make(cluster(version=wanted))
    with pytest.raises(RefusedError, match=message) as caught:
        site.decide()
    assert hint in (caught.value.next or "")
    site.adapter = make(cluster())
    assert site.decide() == Settled()


def with_acls(site: Site) -> None:
    """The inventory wants ACLs: new settings, and a token on the servers."""
    site.adapter = make(cluster(acl=True))
    site.scheduler = site.adapter
    site.token = "6d1f9b0e-2d4c-4c8b-9c59-0d2a4b7f4a10"
    site.placed = dict.fromkeys(SERVERS, site.token)
    for place in site.places.values():
        place.config = 2


def test_acls_are_there_from_the_start(site: Site) -> None:
    with_acls(site)
    assert site.settle() == Settled()
    assert site.titles()[:3] == [
        "form the cluster: start n1, n2, n3 at once",
        "give Nomad's ACLs their first token",
        "forget how the cluster was formed",
    ]
    assert site.nomad.tokens == [site.token]
    assert site.token not in str(site.moves)
    site.moves.clear()
    assert site.settle() == Settled()
    assert site.moves == []


def test_acls_come_to_a_cluster_that_runs_when_all_its_servers_have_them(site: Site) -> None:
    site.settle()
    site.moves.clear()
    with_acls(site)
    assert site.settle() == Settled()
    assert [move.on for move in site.moves] == [("n2",), ("n3",), ("n1",), (), ("w1",), ("w2",)]
    assert site.titles()[3] == "give Nomad's ACLs their first token"


def test_a_first_token_that_somebody_else_made_is_told(site: Site) -> None:
    with_acls(site)
    site.nomad.tokens = ["another"]
    with pytest.raises(RefusedError, match="does not know coreops's token") as caught:
        site.settle()
    assert "pki/nomad-token" in (caught.value.next or "")


def test_acls_that_the_inventory_does_not_want_are_not_touched(site: Site) -> None:
    with_acls(site)
    site.settle()
    site.adapter, site.placed = make(cluster()), {}
    with pytest.raises(RefusedError, match="nomad_acl is not set"):
        site.decide()


def test_a_new_gossip_key_is_changed_over_to_before_anything_else(site: Site) -> None:
    site.settle()
    site.moves.clear()
    site.wanted = "bmV3LWdvc3NpcC1rZXktb2YtdGhlLWNsdXN0ZXItISE="
    for place in site.places.values():
        place.config = 2
    site.settle()
    assert site.titles()[0] == "change the key of the servers' gossip"
    assert site.nomad.keys == [site.wanted]
    assert site.wanted not in str(site.moves)


def test_rotating_is_a_matter_of_the_file(site: Site) -> None:
    assert isinstance(site.adapter, Renews)
    assert set(site.adapter.renewable()) == set(site.adapter.secrets())


def test_strays_are_nodes_and_servers_that_the_inventory_has_not(site: Site) -> None:
    site.settle()
    site.nomad.nodes["x"] = Node("x", "old-worker", status="down")
    site.nomad.servers.append(Server("id-x", "old-server", status="failed", peer=False))
    site.nomad.nodes["twin"] = Node("twin", "w1", status="down")
    assert site.decide() == Settled(strays=("old-server", "old-worker", "twin"))


def test_what_is_left_of_a_server_that_was_made_anew_is_a_stray_by_its_id(site: Site) -> None:
    site.settle()
    old = Server("id-of-old-n2", "n2", status="")
    site.nomad.servers.insert(0, old)
    site.nomad.left_in_raft.add(old.id)
    assert site.decide() == Settled(strays=("id-of-old-n2",))
    site.say("n1", site.adapter.remove("id-of-old-n2"))
    assert sorted(each.id for each in site.nomad.servers) == ["id-n1", "id-n2", "id-n3"]
    assert site.decide() == Settled()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"more": ["ours no"], "installed": True}, "did not install"),
        ({"more": ["foreign /etc/nomad.d/nomad.hcl"]}, "configuration that coreops did not write"),
    ],
)
def test_a_foreign_nomad_is_left_alone(site: Site, change: dict[str, object], message: str) -> None:
    for key, value in change.items():
        setattr(site.places["w1"], key, value)
    if "install" in message:
        original = site.places["w1"].look
        site.places["w1"].look = lambda: original().replace(b"ours yes\n", b"")  # type: ignore[method-assign]
    with pytest.raises(RefusedError, match=message) as caught:
        site.decide()
    assert caught.value.where == "w1"


def test_an_agent_of_another_authority_is_refused(site: Site) -> None:
    site.settle()
    plain = site.run

    def run(host: str, step: ShellStep) -> Record:
        if host == "w2" and step.id != "nomad-look":
            return Record(step.id, "failed", rc=5, stderr=b"curl: (60) SSL certificate problem")
        return plain(host, step)

    site.run = run  # type: ignore[method-assign]
    with pytest.raises(RefusedError, match="another cluster") as caught:
        site.decide()
    assert "SSL certificate problem" in (caught.value.why or "")


def test_two_clusters_are_not_one(site: Site) -> None:
    site.settle()
    seen = {name: site.say(name, site.adapter.look(name)) for name in site.places}
    other = [Server("other", "n3")]
    fake = FakeNomad(["n3"], [])
    fake.servers[0] = other[0]
    site.nomad = fake
    seen["n3"] = site.say("n3", site.adapter.look("n3"))
    with pytest.raises(RefusedError, match="different Nomad clusters"):
        site.adapter.decide(seen)


def test_what_the_journal_says_is_told_while_waiting(site: Site) -> None:
    step = site.decide()
    assert isinstance(step, Move)
    site.play(step.play, step.on)
    site.places["n1"].more = ["log n1 ==> Error: permission denied"]
    waiting = site.decide()
    assert isinstance(waiting, Move)
    assert "permission denied" in waiting.title
    assert waiting.play == ()


def test_all_that_is_raised_is_for_the_operator() -> None:
    assert issubclass(RefusedError, CoreopsError)
    assert set(SERVERS) < set(CLIENTS)
