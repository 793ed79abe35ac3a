"""What a node has of fleet, as ``look.sh`` tells it, and what of that is in the way. Pure but for the question."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coreops.errors import HostFailed, RefusedError
from coreops.model import ShellStep
from coreops.schedulers.fleet import config
from coreops.schedulers.fleet.api import Api
from coreops.schedulers.fleet.view import View
from coreops.schedulers.protocol import Elsewhere, Seen, Talk, do

STARTED = "/run/coreops-fleet/started"
OLDEST = (0, 11, 0)
OPTIONAL, REMOVED = (3, 4, 0), (3, 6, 0)
"""The versions of etcd since which its v2 API has to be asked for, and is no more."""
_SCRIPT = Path(__file__).with_name("look.sh")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetSeen(Seen):
    """program: fleetd's path, "" for none. fragments: unit -> its file. etcd: version of the store that answered, ""
    for none. v2: the status of its v2 API. servers: what a running fleetd was told. stale: fleetd was started with
    something else than what is installed. nodes: all that fleet knows, by host or else by machine id.
    """

    machine: str = ""
    program: str = ""
    active: bool = False
    socket: bool = False
    fragment: str = ""
    managed: bool = False
    stale: bool = False
    servers: tuple[str, ...] = ()
    prefix: str = ""
    etcd: str = ""
    v2: str = ""
    curl: bool = True
    uid: int = 0
    nodes: tuple[str, ...] = ()


def look(host: str, servers: Sequence[str], api: Api) -> Talk[FleetSeen]:
    """Ask the host itself, and its fleetd which nodes there are."""
    env = {
        "CONF": config.CONF,
        "PKI": config.PKI,
        "STORE": "/etc/etcd/pki",
        "SERVERS": "\n".join(servers),
        "STARTED": STARTED,
    }
    script = _SCRIPT.read_text(encoding="utf-8")
    record = yield from do(ShellStep(id="look", title="look at fleet", probe=script, env=env, timeout=120.0))
    seen = read(host, record.stdout.decode("utf-8", errors="replace"))
    if not (seen.active and seen.socket):
        return seen
    try:
        view = View((yield from api.everything()))
    except Elsewhere:
        return seen  # it has only just been started, or has no etcd: the wait for its node says so
    return replace(seen, nodes=view.nodes)


def read(host: str, text: str) -> FleetSeen:
    """What the node said."""
    lines = [line.partition(" ")[::2] for line in text.splitlines()]
    values = dict(lines)
    units = {words[0]: words[1:] for key, value in lines if key == "unit" and len(words := value.split()) > 1}
    service, socket = units.get("fleet.service", []), units.get("fleet.socket", [])
    active = service[:1] in (["active"], ["activating"], ["reloading"])
    return FleetSeen(
        host=host,
        version=values.get("version", ""),
        cluster="fleet" if active else "",
        machine=values.get("machine", ""),
        program=values.get("program", ""),
        active=active,
        socket=socket[:1] == ["active"],
        fragment=service[1] if len(service) > 1 else "",
        managed="managed" in values,
        stale=active and "stale" in values,
        servers=_servers(values.get("servers", "")),
        prefix=values.get("prefix", "").strip(" \"'"),
        etcd=_etcd(values.get("etcd", "")),
        v2=values.get("v2", ""),
        curl="curl" not in values,
        uid=int(values["uid"]) if values.get("uid", "").isdigit() else 0,
    )


def check(seen: Sequence[FleetSeen], wanted: Sequence[str]) -> None:
    """Refuse what cannot become one cluster. wanted: the store's URLs. Raises RefusedError or HostFailed."""
    for each in seen:
        for what, why, advice in (*_store(each), *_node(each, wanted)):
            raise RefusedError(what, where=each.host, why=why, next=advice)
    known: dict[str, str] = {}
    for each in seen:
        twin = known.setdefault(each.machine, each.host) if each.machine else each.host
        if twin != each.host:
            raise HostFailed(
                f"hosts {twin} and {each.host} have one machine id",
                where=each.host,
                why=f"both say {each.machine} in /etc/machine-id, and fleet knows machines by that",
                next="give each its own: rm /etc/machine-id && systemd-machine-id-setup, then reboot",
            )


def mixed(seen: Sequence[FleetSeen]) -> tuple[str, ...]:
    """What to know of versions that differ. They work together (fleet counts engines of 0.8 and all later ones as one
    version, so any of them may lead), but the rules are those of whoever leads.
    """
    found: dict[str, list[str]] = {}
    for each in sorted((each for each in seen if each.version), key=lambda each: numbers(each.version)):
        found.setdefault(each.version, []).append(each.host)
    oldest = numbers(next(iter(found), ""))
    if len({numbers(version) for version in found}) < 2 or oldest >= (1, 0, 0):
        return ()
    lost = ["conflicts of global units (since 1.0)", *(["Replaces= (since 0.13)"] if oldest < (0, 13, 0) else [])]
    said = "; ".join(f"{version} on {', '.join(hosts)}" for version, hosts in found.items())
    told = f"any of them may lead, and an older one does not know {', '.join(lost)}"
    return (f"the versions of fleetd differ: {said}; {told}",)


Problem = tuple[str, str, str]


def _store(seen: FleetSeen) -> Iterator[Problem]:
    if seen.etcd and numbers(seen.etcd) >= REMOVED:
        yield (
            f"fleet cannot run on etcd {seen.etcd}",
            "fleet speaks etcd's v2 API only, and 3.6 has removed it",
            "keep the store at 3.5 (etcd_version) with etcd_flags: {enable-v2: true}, or move to another scheduler",
        )
    elif seen.etcd and seen.v2 == "404":
        yield (
            f"etcd {seen.etcd} does not serve the v2 API",
            "fleet speaks no other, and since 3.4 it is off unless asked for",
            "set etcd_flags: {enable-v2: true} for the store and run coreops bootstrap again",
        )


def _node(seen: FleetSeen, wanted: Sequence[str]) -> Iterator[Problem]:
    if seen.uid != 0:
        yield "not root", f"the shell runs as uid {seen.uid}", "allow sudo without a password"
    if not seen.curl:
        yield "there is no curl", "fleet's API is asked over its socket with curl", "use an image that has it"
    if seen.version and numbers(seen.version) < OLDEST:
        yield (
            f"fleetd {seen.version} is too old",
            f"coreops knows fleet from {'.'.join(map(str, OLDEST))} on",
            "set fleet_install: archive, and pin fleet in artifacts.lock.yml",
        )
    told = set(_plain(seen.servers))
    if seen.active and not seen.managed and told and not told & set(_plain(wanted)) and not any(map(_near, told)):
        yield (
            "fleetd runs here already, in another cluster",
            f"its etcd is {', '.join(seen.servers)}",
            "systemctl disable --now fleet.socket fleet.service there first, when that cluster can do without it",
        )


def numbers(version: str) -> tuple[int, int, int]:
    """A version to compare; what is no number counts as 0."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else (0, 0, 0)


def _near(url: str) -> bool:
    """The node's own etcd, or a proxy there: Container Linux's default, which says nothing of the cluster."""
    return re.match(r"https?://(127\.|localhost|\[::1\])", url) is not None


def _plain(urls: Sequence[str]) -> list[str]:
    return [url.rstrip("/") for url in urls]


def _servers(text: str) -> tuple[str, ...]:
    """As fleet splits it: commas, with brackets, quotes and blanks around."""
    return tuple(each for part in text.split(",") if (each := part.strip(" []\"'")))


def _etcd(text: str) -> str:
    try:
        return str(json.loads(text)["etcdserver"])
    except (ValueError, KeyError, TypeError):
        return ""
