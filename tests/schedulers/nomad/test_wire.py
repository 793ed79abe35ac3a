"""The adapter's requests as a node makes them: its own sh and curl, TLS both ways, against the fake's agents. The whole
conformance suite passes this way too (subclass it with ``RealWorld``); it takes minutes, so here is one node's life.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest

from coreops.errors import HostFailed, RefusedError
from coreops.model import ShellStep
from coreops.schedulers.nomad import gossip
from coreops.schedulers.nomad.acl import forget, issue, unlock
from coreops.schedulers.nomad.api import Api
from coreops.schedulers.protocol import Elsewhere, Pause, Talk
from coreops.store import pki
from coreops.units.backends.nomad import Nomad
from coreops.units.backends.protocol import settled
from coreops.units.convert.convert import convert
from tests.schedulers import worlds
from tests.schedulers.nomad.world import CLIENTS, Agents, NomadWorld, RealWorld, cluster, shell
from tests.schedulers.worlds import OPERATOR, cordon, drain, hold, left, listed, must, node_of, uncordon
from tests.units.texts import WEB, run, unit

T = TypeVar("T")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def agents(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Agents]:
    agents = Agents(tmp_path_factory.mktemp("nomad"), NomadWorld().scheduler)
    yield agents
    agents.close()


@pytest.fixture
def world(agents: Agents) -> RealWorld:
    return RealWorld(agents)


def test_the_life_of_a_node(world: RealWorld) -> None:
    word = world.start("w1", stubborn=True)
    world.nomad.run("w1", "logs", kind="system")
    cordon(world, "w1")
    assert node_of(world, "w1").cordoned == "upgrade"
    ended = hold(world, ["n1"], lambda: world.scheduler.drain("w1", worlds.UPGRADE), pauses=4)
    assert not ended.over
    assert [text for text in left(world, "w1") if word in text]
    world.let_go()
    drain(world, "w1")
    assert world.running("w1") == 0
    assert sum(world.running(host) for host in ("n1", "n2", "n3", "w2")) == 1
    uncordon(world, "w1")
    assert world.open("w1")
    cordon(world, "w1", OPERATOR)
    world.kill("w1")
    must(world, ["n2"], lambda: world.scheduler.remove("w1"))
    assert sorted(node.host for node in listed(world)) == ["n1", "n2", "n3", "w2"]


def test_units_as_jobs(world: RealWorld) -> None:
    """``coreops units``: the requests that write jobs, with names that have to be quoted."""
    names = ["web@1.service", "web@2.service"]
    units = [unit(WEB, name) for name in names]
    documents = convert(units, "nomad", apart=True).documents
    scheduler: Any = world.scheduler
    must(world, ["n1"], lambda: Nomad(scheduler, documents).start(units, ()))
    rows = must(world, ["n1"], lambda: settled(Nomad(scheduler), names))
    assert {(row.state, row.desired) for row in rows} == {("running", "launched")}
    must(world, ["n1"], lambda: Nomad(scheduler).destroy(names))
    assert world.nomad.jobs == {}
    large = [run(f"-e A={'x' * 1500} nginx:1", "", f"web@{number}.service") for number in range(200)]
    documents = convert(large, "nomad", apart=True).documents
    must(world, ["n1"], lambda: Nomad(scheduler, documents).submit(large))
    assert len(json.dumps(world.nomad.jobs["web"])) > 2 * 131072


def test_a_list_of_many_pages_is_read_to_its_end(world: RealWorld) -> None:
    for _ in range(7):
        world.start("w1")
    world.nomad.page = 3
    assert len(must(world, ["n1"], world.scheduler.workloads)) == 7
    assert sum("next_token" in line for line in world.nomad.log) == 2


def test_no_secret_and_no_note_is_seen_in_a_process_list(world: RealWorld, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    (tmp_path / "curl").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >>{seen}\nexec /usr/bin/env -i PATH=/usr/bin:/bin curl "$@"\n'
    )
    (tmp_path / "curl").chmod(0o755)
    step = Api(world.agents.ports["n1"], str(world.agents.folder / "n1" / "pki")).step(
        "PUT", "/v1/agent/keyring/install", {"Key": "dG9wLXNlY3JldA=="}
    )
    record = shell(step, {**step.env, "PATH": f"{tmp_path}:/usr/bin:/bin"})
    assert record.state == "changed", record.stderr
    assert "dG9wLXNlY3JldA==" in world.nomad.keys
    assert "dG9w" not in seen.read_text()


def request(world: RealWorld, port: int, folder: Path) -> Elsewhere:
    step = Api(port, str(folder)).step("GET", "/v1/nodes")
    talk = Api(port, str(folder)).request("GET", "/v1/nodes")
    next(talk)
    with pytest.raises(Elsewhere) as caught:
        talk.send(shell(step, step.env))
    return caught.value


def test_the_agent_of_another_cluster(world: RealWorld, tmp_path: Path) -> None:
    """It neither has a certificate that we trust nor trusts ours."""
    other = pki.load(tmp_path / "pki", world.scheduler.certificates())
    pki.save(other)
    folder = tmp_path / "node"
    folder.mkdir()
    for source, target in (("ca.crt", "ca.crt"), ("nomad/n1.crt", "node.crt"), ("nomad/n1.key", "node.key")):
        (folder / target).write_bytes((tmp_path / "pki" / source).read_bytes())
    assert "does not take our certificate" in request(world, world.agents.ports["n1"], folder).what
    (folder / "ca.crt").write_bytes((world.agents.folder / "pki" / "ca.crt").read_bytes())
    request(world, world.agents.ports["n1"], folder)  # turned away: how that looks depends on who closes first


def test_no_agent(world: RealWorld) -> None:
    error = request(world, 1, world.agents.folder / "n1" / "pki")
    assert "no Nomad agent answers" in error.what
    assert "journalctl" in (error.next or "")


def test_a_busy_nomad_is_asked_again(world: RealWorld) -> None:
    world.nomad.failures = [(429, "too many"), (500, "rpc error: No cluster leader"), (503, "")]
    ended = hold(world, ["n1"], world.scheduler.workloads)
    assert ended.error is None
    assert len(ended.pauses) == 3
    assert "No cluster leader" in ended.pauses[1][0]


def test_a_nomad_with_access_lists_is_told_from_a_broken_one(world: RealWorld) -> None:
    world.nomad.failures = [(403, "Permission denied")] * 3
    ended = hold(world, ["n1"], world.scheduler.nodes)
    assert isinstance(ended.error, HostFailed)
    assert "ACLs" in (ended.error.why or "")
    assert "nomad_acl" in (ended.error.next or "")


def test_the_first_token_reaches_nomad_unseen(world: RealWorld, tmp_path: Path) -> None:
    """acl.sh itself: the secret goes by standard input and a file; no argument of curl has it, and no answer."""
    secret = "6d1f9b0e-2d4c-4c8b-9c59-0d2a4b7f4a10"
    world.nomad.acl = set(CLIENTS)
    pki = world.agents.folder / "n1" / "pki"
    seen, said = tmp_path / "seen", []
    (tmp_path / "curl").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >>{seen}\nexec /usr/bin/env -i PATH=/usr/bin:/bin curl "$@"\n'
    )
    (tmp_path / "curl").chmod(0o755)
    api = Api(world.agents.ports["n1"], str(pki))

    def hold_it() -> None:
        talk, answer = unlock(api), None
        while True:
            step = talk.send(answer)
            assert isinstance(step, ShellStep)
            assert secret not in str(step)
            answer = shell(step, {**step.env, "PATH": f"{tmp_path}:/usr/bin:/bin"})
            said.append(answer.stdout)

    (pki / "token").write_text(f"X-Nomad-Token: {secret}\n")
    try:
        for _ in range(2):  # the second time there is nothing to do
            with pytest.raises(StopIteration):
                hold_it()
            assert world.nomad.tokens == [secret]
        assert len(must(world, ["n1"], world.scheduler.nodes)) == 5
        world.nomad.tokens = ["another"]
        with pytest.raises(RefusedError, match="does not know coreops's token") as caught:
            hold_it()
        assert "already done" in (caught.value.why or "")
    finally:
        (pki / "token").unlink()
    assert secret not in seen.read_text()
    assert not any(secret.encode() in each for each in said)


def test_a_new_token_is_tried_before_it_is_kept_and_no_argument_has_it(world: RealWorld, tmp_path: Path) -> None:
    first = "6d1f9b0e-2d4c-4c8b-9c59-0d2a4b7f4a10"
    nomad, folder = world.nomad, world.agents.folder / "n1" / "pki"
    nomad.acl, nomad.tokens = set(CLIENTS), [first]
    seen = tmp_path / "seen"
    (tmp_path / "curl").write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >>{seen}\nexec /usr/bin/env -i PATH=/usr/bin:/bin curl "$@"\n'
    )
    (tmp_path / "curl").chmod(0o755)
    (folder / "token").write_text(f"X-Nomad-Token: {first}\n")
    api = Api(world.agents.ports["n1"], str(folder))

    def say(talk: Talk[T]) -> T:
        answer = None
        while True:
            try:
                step = talk.send(answer)
            except StopIteration as end:
                value: T = end.value
                return value
            assert isinstance(step, ShellStep)
            assert step.secret
            answer = shell(step, {**step.env, "PATH": f"{tmp_path}:/usr/bin:/bin"})
            assert not any(each in f"{step.title}{step.act}{step.probe}" for each in nomad.tokens)

    try:
        made = say(issue(api)).decode()
        assert nomad.tokens == [first, made.strip()]
        assert nomad.log[-1] == "n1 GET /v1/acl/token/self"
        (folder / "token").write_text(f"X-Nomad-Token: {made}")
        say(forget(api, nomad.about[made.strip()]["AccessorID"]))
        assert nomad.tokens == [made.strip()]
    finally:
        (folder / "token").unlink()
    assert not any(each in seen.read_text() for each in nomad.about)


def test_without_a_leader_another_server_is_asked_and_then_told(world: RealWorld) -> None:
    world.nomad.leader = None
    ended = hold(world, ["n1"], world.scheduler.nodes)
    assert isinstance(ended.error, Elsewhere)
    assert "No cluster leader" in (ended.error.why or "")


def test_hostile_names_change_no_request() -> None:
    name = "x'; touch /tmp/evil #$(id)`id`\n"
    host = replace(cluster().hosts[0], labels={"a b": name, "zone": 'q"'})
    step = Api(4646, "/p q/$(x)").step("PUT", "/v1/node/1/drain", {"Meta": dict(host.labels)})
    assert name not in (step.act or "")
    assert step.act == Api(1, "/").step("PUT", "/", {}).act


def test_the_gossip_key_is_changed_on_the_node(world: RealWorld, tmp_path: Path) -> None:
    """gossip.sh itself: the new key stands in gossip.json only, and both are valid until all servers have it."""
    nomad, old = world.nomad, world.nomad.keys[0]
    new = "+/bmV3LWdvc3NpcC1rZXktb2YtdGhlLWNsdXN0ZXI9PT0="
    (tmp_path / "gossip.json").write_text(f'{{"server": {{"encrypt": "{new}"}}}}')
    api = Api(world.agents.ports["n1"], str(world.agents.folder / "n1" / "pki"))
    seen: list[list[str]] = []

    def run(talk: Talk[T]) -> T:
        answer = None
        while True:
            try:
                said = talk.send(answer)
            except StopIteration as end:
                value: T = end.value
                return value
            if isinstance(said, Pause):
                seen.append(["paused", *said.left])
                nomad.servers[2].status = "alive"
                answer = None
                continue
            assert old not in str(said)
            assert new not in str(said)
            answer = shell(said, said.env)
            assert old.encode() not in answer.stdout
            assert new.encode() not in answer.stdout
            seen.append(list(nomad.keys))

    assert run(gossip.keys(api, str(tmp_path))) == gossip.Keys(1, 0, 3)
    nomad.servers[2].status = "failed"
    run(gossip.rekey(api, str(tmp_path), 3))
    assert nomad.keys == [new]
    assert seen[2][0] == "paused"
    assert "locked out" in seen[2][1]
    assert [old, new] in seen
    assert run(gossip.keys(api, str(tmp_path))).settled
    run(gossip.rekey(api, str(tmp_path), 3))
    assert nomad.keys == [new]
