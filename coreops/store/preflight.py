"""What must be true of the nodes before anything is touched. Pure: observed nodes in, problems out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from coreops.errors import InputError
from coreops.identity.identity import Identity
from coreops.identity.twins import Seen, twins
from coreops.model import Position
from coreops.store.cluster import Member
from coreops.store.observe import Node

Place = tuple[Position, frozenset[str]]
NEED_OPT_KIB = 200 * 1024
NEED_DATA_KIB = 256 * 1024
OLDEST_SYSTEMD = 219
UNIT = "/etc/systemd/system/etcd.service"
MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64", "ppc64le": "ppc64le", "s390x": "s390x"}


@dataclass(frozen=True, slots=True)
class Problem:
    host: str
    what: str
    why: str
    next: str

    def __str__(self) -> str:
        return f"{self.host}: {self.what} ({self.why}); {self.next}"


def problems(
    wanted: Sequence[Member], nodes: Mapping[str, Node], token: str, places: Mapping[str, Place] | None = None
) -> tuple[Problem, ...]:
    """Everything that is wrong, host by host and then between hosts. ``token``: our cluster's.

    places: where each host is in the inventory, and the addresses that it has by that.
    """
    found: list[Problem] = []
    for member in wanted:
        node = nodes[member.name]
        found += [problem for check in _ALONE for problem in check(member, node, token)]
    found += _twins(nodes, places or {})
    found += _skews({member.name: member.clock_skew for member in wanted}, nodes)
    return tuple(found)


def refusal(found: Sequence[Problem]) -> InputError:
    """All problems as the one error the operator sees."""
    if len(found) == 1:
        only = found[0]
        return InputError(only.what, where=only.host, why=only.why, next=only.next)
    hosts = len({problem.host for problem in found})
    return InputError(
        f"preflight found {len(found)} problems on {hosts} hosts; nothing was touched",
        why="\n       ".join(str(problem) for problem in found),
        next="solve them and run the command again",
    )


def _root(member: Member, node: Node, token: str) -> Iterator[Problem]:
    if node.uid != 0:
        yield Problem(node.host, "not root", f"the shell runs as uid {node.uid}", "allow sudo without a password")


def _system(member: Member, node: Node, token: str) -> Iterator[Problem]:
    if node.systemd is None:
        yield Problem(node.host, "no systemd", "/run/systemd/system is missing", "use a node that systemd has booted")
    elif node.systemd < OLDEST_SYSTEMD:
        yield Problem(
            node.host, "systemd is too old", f"it is {node.systemd}, {OLDEST_SYSTEMD} is needed", "upgrade the system"
        )
    arch = MACHINES.get(node.arch)
    if arch is None:
        known = ", ".join(sorted(MACHINES))
        yield Problem(node.host, f"unsupported architecture {node.arch}", f"supported: {known}", "use another machine")
    elif arch != member.arch:
        yield Problem(
            node.host, "wrong architecture", f"it is {arch}, the inventory says {member.arch}", f"set etcd_arch: {arch}"
        )


def _space(member: Member, node: Node, token: str) -> Iterator[Problem]:
    needs = [("/opt", node.free_opt, 0 if node.release else NEED_OPT_KIB)]
    needs.append((member.data_dir, node.free_data, 0 if node.data else NEED_DATA_KIB))
    for path, free, need in needs:
        if free is not None and free < need:
            yield Problem(
                node.host, f"too little space for {path}", f"{free >> 10} MiB free, {need >> 10} needed", "free some"
            )


def _ports(member: Member, node: Node, token: str) -> Iterator[Problem]:
    if node.unit == UNIT and node.active:
        return
    for port in (member.client_port, member.peer_port):
        if port in node.listening:
            yield Problem(
                node.host,
                f"port {port} is taken",
                "another program than our etcd.service listens there",
                f"find it with: ss -ltnp 'sport = :{port}'",
            )


def _foreign(member: Member, node: Node, token: str) -> Iterator[Problem]:
    if node.data and node.token != token:
        whose = f"its cluster token is {node.token}" if node.token else "coreops did not make it"
        yield Problem(
            node.host,
            f"{member.data_dir} holds another cluster's data",
            whose,
            "move it away, or restore the pki folder this cluster was made with",
        )
    for path in node.other_data:
        yield Problem(
            node.host, f"another etcd has data in {path}", "two etcds on one node are refused", "move it away"
        )
    if node.active and node.unit and node.unit != UNIT:
        yield Problem(
            node.host, "another etcd.service is running", f"its unit is {node.unit}", "systemctl disable --now etcd"
        )


_ALONE = (_root, _system, _space, _ports, _foreign)


def _twins(nodes: Mapping[str, Node], places: Mapping[str, Place]) -> Iterator[Problem]:
    seen = [Seen(node.host, _identity(node), *places.get(node.host, ())) for node in nodes.values()]
    for twin in twins(seen):
        yield Problem(twin.second.host, f"not {_A.get(twin.what, 'a')} {twin.what} of its own", twin.why, twin.advice)


_A = {"address": "an"}


def _identity(node: Node) -> Identity:
    return Identity(
        machine_id=node.machine_id,
        boot_id=node.boot_id,
        hostname=node.hostname,
        macs=node.macs,
        addresses=node.addresses,
    )


def _skews(limits: Mapping[str, float], nodes: Mapping[str, Node]) -> Iterator[Problem]:
    """A skew is a problem only when the time the exchange took cannot explain it. limits: seconds, for each host."""
    advice = "run a time service (systemd-timesyncd, chrony) on the nodes and the controller"
    known = [(node.host, node.clock) for node in nodes.values() if node.clock]
    for host, clock in known:
        if clock.low > limits[host] or clock.high < -limits[host]:
            off = clock.low if clock.low > 0 else clock.high
            yield Problem(host, "its clock is off", f"{off:+.1f} s from the controller's", advice)
            return
    if known:
        ahead = max(known, key=lambda item: item[1].low)
        behind = min(known, key=lambda item: item[1].high)
        apart = ahead[1].low - behind[1].high
        if apart > max(limits[ahead[0]], limits[behind[0]]):
            yield Problem(ahead[0], "its clock is off", f"{apart:.1f} s ahead of {behind[0]}'s", advice)
