"""What a look at one host finds: the program and the unit, then what the agent says of itself and its cluster."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from coreops.model import ShellStep
from coreops.schedulers.nomad import acl, gossip
from coreops.schedulers.nomad.api import Api
from coreops.schedulers.nomad.found import HEALTH, SERVERS, UNHEALTHY, Client, Server, client
from coreops.schedulers.nomad.found import servers as read_servers
from coreops.schedulers.protocol import Elsewhere, Host, Seen, Talk, do

_SCRIPT = Path(__file__).with_name("look.sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class NomadSeen(Seen):
    """``version``: of the agent that runs. ours: the unit is coreops's. current, wanted: the versions on disk.
    chosen: the wanted release is the current one. changed: settings differ from those the agent was started with.
    raft: it has a server's data. first: it is told to form a cluster. answers: the agent takes our certificate.
    leader: it knows one. servers: as it sees them. clients: as the leader does. rekey: the gossip's key is not the
    wanted one. healthy: autopilot has nothing against the servers. locked: it is a server that has ACLs and does not
    know our token. token: the accessor of the one that it knows. unused: of those that it could do without.
    """

    unit: str = ""
    active: bool = False
    ours: bool = False
    foreign: tuple[str, ...] = ()
    current: str = ""
    wanted: str = ""
    chosen: bool = False
    changed: bool = False
    raft: bool = False
    first: bool = False
    answers: bool = False
    trouble: str = ""
    leader: bool = False
    servers: tuple[Server, ...] = ()
    clients: tuple[Client, ...] = ()
    log: tuple[str, ...] = ()
    rekey: bool = False
    healthy: bool = True
    locked: bool = False
    token: str = ""
    unused: tuple[str, ...] = ()

    @property
    def installed(self) -> bool:
        """Is there a unit of that name at all?"""
        return "LoadState=loaded" in self.unit

    @property
    def stale(self) -> bool:
        return self.active and (self.changed or not self.chosen)


def look(api: Api, host: Host, region: str, folder: str, data: str, opt: str) -> Talk[NomadSeen]:
    """Runs on the host itself."""
    script = _SCRIPT.read_text(encoding="utf-8")
    env = {"FOLDER": folder, "DATA": data, "OPT": opt}
    record = yield from do(ShellStep(id="nomad-look", title="look at Nomad", probe=script, env=env, timeout=60.0))
    seen = read(host.name, record.stdout.decode("utf-8", errors="replace"))
    if not seen.active or not seen.ours:
        return seen
    try:
        return (yield from _agent(api, host, region, seen, folder))
    except Elsewhere as error:
        return replace(seen, trouble=f"{error.what}: {error.why}")


def _agent(api: Api, host: Host, region: str, seen: NomadSeen, folder: str) -> Talk[NomadSeen]:
    more = (*SERVERS, HEALTH, acl.SELF) if host.role == "manager" else ()
    self, leader, *servers = yield from api.several("/v1/agent/self", "/v1/status/leader", *more)
    if self.status == 403:  # only servers have a token; of clients it is enough that they know the cluster
        found = leader.good and bool(leader.value)
        locked = host.role == "manager"
        return replace(
            seen, answers=True, leader=found, locked=locked, cluster=f"nomad {region}" if found and not locked else ""
        )
    if not self.good:
        return replace(seen, answers=True, trouble=f"HTTP {self.status}: {self.value!s:.200}")
    knows = leader.good and bool(leader.value) and all(each.good for each in servers[:2])
    seen = replace(
        seen, answers=True, version=_version(self.value), leader=knows, cluster=f"nomad {region}" if knows else ""
    )
    if not servers or not knows:
        return seen
    held = yield from gossip.keys(api, folder)
    known = read_servers(servers[0].value, servers[1].value, region)
    leads = any(server.leader and server.name == host.name for server in known)
    nodes = (yield from api.pages("/v1/nodes")) if leads else []
    own = acl.token(servers[3].value) if servers[3].good else None  # 400 where there are no ACLs
    tokens = (yield from api.pages(acl.TOKENS)) if leads and own else []
    return replace(
        seen,
        servers=known,
        clients=tuple(client(each) for each in nodes),
        rekey=not held.settled,
        healthy=servers[2].status != UNHEALTHY,
        token=own.accessor if own else "",
        unused=acl.unused(own, map(acl.token, tokens)) if own else (),
    )


def read(host: str, text: str) -> NomadSeen:
    """The answer of look.sh."""
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        values.setdefault(key, []).append(value)

    def one(key: str) -> str:
        return values.get(key, [""])[0].strip()

    unit = one("unit")
    return NomadSeen(
        host=host,
        unit=unit,
        active="ActiveState=active" in unit,
        ours=one("ours") == "yes",
        foreign=tuple(values.get("foreign", ())),
        current=one("current"),
        wanted=one("wanted"),
        chosen=bool(one("chosen")) and one("chosen") == one("release"),
        changed=one("fingerprint") != one("started_with"),
        raft=one("raft") == "yes",
        first=one("first") == "yes",
        log=tuple(values.get("log", ())),
    )


def _version(self: Any) -> str:
    """The version in an agent's description of itself."""
    config = self.get("config") or {}
    stated = (config.get("Version") or {}).get("Version") or ""
    return stated or ((self.get("member") or {}).get("Tags") or {}).get("build") or ""
