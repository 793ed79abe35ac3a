"""What it costs the store when machines go away: asks etcd, over SSH, who is well, and refuses what would end it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from coreops.errors import CoreopsError, RefusedError, counted
from coreops.store import quorum

if TYPE_CHECKING:
    from coreops.inventory import Inventory

LOSE = "--lose-quorum"
_ABSENT = "no etcd\n"


@dataclass(frozen=True, slots=True)
class View:
    """voters, and those of them that are well. Both empty: there is no store yet."""

    voters: frozenset[str]
    healthy: frozenset[str]


def check(inventory: Inventory, source: Path, gone: Mapping[str, str], *, allowed: bool, all_may_go: bool) -> str:
    """Say in a line what becomes of the store when these go (by name, with an address); "" when it is not touched.

    all_may_go: to end the whole store is what was asked for. Raises RefusedError unless ``allowed``.
    """
    from coreops.upgrade.planning.fleet import STORE

    members = inventory.members(STORE) if STORE in inventory.groups else ()
    strays = [name for name in gone if name not in inventory.hosts]
    if not members or not (strays or set(members) & gone.keys()):
        return ""
    if all_may_go and set(members) <= gone.keys():
        return f"the store ends: all of its {counted(len(members), 'member')} go, with their data"
    if allowed:
        return f"whether the store keeps its quorum was not looked at ({LOSE})"
    view = ask(source, {name: gone[name] for name in strays})
    return judged(view, gone)


def judged(view: View, gone: Collection[str]) -> str:
    """Return what becomes of the store. Raises RefusedError when it has no quorum without those that go."""
    lost = sorted(view.voters & set(gone))
    if not lost:
        return ""
    left = view.healthy - set(gone)
    size, need = len(view.voters), quorum.quorum(len(view.voters))
    if quorum.has_quorum(view.voters, left):
        return (
            f"the store keeps its quorum without {', '.join(lost)}: {len(left)} of {size} are well, {need} are needed"
        )
    raise RefusedError(
        f"the store would lose its quorum without {', '.join(lost)}",
        why=f"of {size} members {len(view.healthy)} are known to be well, {len(left)} without; {need} are needed",
        next=f"take fewer at a time, mend the others first, or say {LOSE}: what the store holds may be lost",
    )


def ask(source: Path, strays: Mapping[str, str]) -> View:
    """Ask the members, all at once. One that does not answer is not known to be well; without any answer none is."""
    import secrets

    from coreops.model import ShellStep
    from coreops.shell.quote import q
    from coreops.store import etcdctl
    from coreops.store.cluster import Member
    from coreops.upgrade.cluster.asking import Asking
    from coreops.upgrade.gates import etcd
    from coreops.upgrade.planning import fleet

    read = fleet.read(source, None, {})
    members = [*read.members.values(), *(Member(name, address) for name, address in strays.items() if address)]
    steps = {
        host: [
            ShellStep(
                id="store",
                title="ask the store",
                probe=f"if [ ! -x {q(etcdctl.PROGRAM)} ]; then printf {q(_ABSENT)}; exit 0; fi\n"
                + etcd.script(host, members),
                timeout=60.0,
            )
        ]
        for host in read.members
    }
    asking = Asking({host: read.targets[host] for host in read.members}, run=f"quorum-{secrets.token_hex(4)}")
    try:
        found = asking.each(steps)
    finally:
        asking.close()
    said = {host: _text(answer) for host, answer in found.items()}
    if all(text == _ABSENT for text in said.values()):
        return View(frozenset(), frozenset())
    views = []
    for host, text in said.items():
        answers = dict(line.split(" ", 1) for line in text.splitlines() if " " in line and line != _ABSENT.strip())
        views.append(etcd.read(host, members, answers).view)
    best = max(views, key=lambda view: (len(view.healthy), len(view.voters)))
    return View(best.voters, best.healthy)


def _text(answer: object) -> str:
    """What one host said; "" when it could not be asked."""
    if isinstance(answer, CoreopsError) or not isinstance(answer, dict):
        return ""
    record = answer.get("store")
    return record.stdout.decode(errors="replace") if record is not None and record.state != "failed" else ""
