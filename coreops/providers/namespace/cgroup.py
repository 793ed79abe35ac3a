"""The cgroups of a lab: which processes belong to a node, freezing them, ending them.

Works with version 1, version 2 and both side by side. A process that lost every other trace (its launcher killed, its
state file gone) is still found here.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from coreops.errors import CoreopsError
from coreops.providers.namespace.host import wait_until

_WEIGHTS = {"cpu.shares": "3072", "cpu.weight": "300"}
"""Of what holds several nodes. Left alone it would weigh, with all its machines, as much as one process of its host;
and on a busy one their clusters would fall apart.
"""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """One mounted cgroup tree. controllers is empty for version 2."""

    path: Path
    version: int
    controllers: frozenset[str]


def parse_mounts(mountinfo: str) -> tuple[Hierarchy, ...]:
    """Find the cgroup trees in the text of /proc/self/mountinfo. Pure."""
    found: dict[Path, Hierarchy] = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        kind, _, options = right.split(" ", 2)
        if kind in ("cgroup", "cgroup2"):
            path = Path(left.split()[4])
            controllers = frozenset(options.split(",")) - {"rw", "ro"} if kind == "cgroup" else frozenset[str]()
            found[path] = Hierarchy(path, 1 if kind == "cgroup" else 2, controllers)
    return tuple(found.values())


@lru_cache(maxsize=1)
def hierarchies() -> tuple[Hierarchy, ...]:
    """The trees of this machine."""
    return parse_mounts(Path("/proc/self/mountinfo").read_text())


def create(group: str) -> None:
    """Make a cgroup in every tree, with the controllers the host has to give: a node's systemd hands them on."""
    parts = group.split("/")
    for tree in hierarchies():
        folder = tree.path
        for depth, part in enumerate(parts, start=1):
            parent, folder = folder, folder / part
            # What the top passes on is the business of the host's own systemd.
            if tree.version == 2 and parent != tree.path:
                given = (parent / "cgroup.controllers").read_text().split()
                (parent / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in given))
            folder.mkdir(exist_ok=True)
            # An empty cpuset of version 1 admits nobody.
            if "cpuset" in tree.controllers:
                for name in ("cpuset.cpus", "cpuset.mems"):
                    if not (folder / name).read_text().strip():
                        (folder / name).write_text((parent / name).read_text())
            for name, weight in _WEIGHTS.items():
                if depth < len(parts) and (folder / name).exists():
                    (folder / name).write_text(weight)


def join(group: str, pid: int = 0) -> None:
    """Move a process, by default the calling one, into the cgroup, in every tree."""
    for tree in hierarchies():
        (tree.path / group / "cgroup.procs").write_text(str(pid))


def processes(group: str) -> set[int]:
    """Return the host pids in the cgroup and below, in any tree."""
    pids: set[int] = set()
    for tree in hierarchies():
        for folder, _, _ in os.walk(tree.path / group):
            try:
                text = (Path(folder) / "cgroup.procs").read_text()
            except OSError:
                continue  # the cgroup went away between the walk and the read
            pids.update(int(pid) for pid in text.split())
    return pids - {0}


def init_process(group: str) -> int | None:
    """Return the host pid of the node's own PID 1: it is 1 in exactly one namespace below the host's."""
    for pid in sorted(processes(group)):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        numbers = fields.get("NSpid", "").split()
        if len(numbers) == 2 and numbers[1] == "1" and not fields["State"].startswith("Z"):
            return pid
    return None


@dataclass(frozen=True, slots=True)
class _Freezer:
    """Where a cgroup is told to freeze, and where the kernel says that it has; both in the words of its version."""

    control: Path
    words: tuple[str, str]
    report: Path
    reports: tuple[str, str]

    def is_set(self) -> bool:
        return self.control.read_text().strip() in (self.words[True], "FREEZING")

    def reached(self, on: bool) -> bool:
        return self.reports[on] in self.report.read_text().splitlines()


def _freezer(group: str) -> _Freezer:
    for tree in hierarchies():
        if "freezer" in tree.controllers:
            state, words = tree.path / group / "freezer.state", ("THAWED", "FROZEN")
            return _Freezer(state, words, state, words)
    for tree in hierarchies():
        if tree.version == 2:
            folder = tree.path / group
            return _Freezer(folder / "cgroup.freeze", ("0", "1"), folder / "cgroup.events", ("frozen 0", "frozen 1"))
    raise CoreopsError("this machine has no cgroup freezer", next="mount cgroup2 at /sys/fs/cgroup")


def frozen(group: str) -> bool:
    """Say whether the cgroup is frozen (or about to be)."""
    try:
        return _freezer(group).is_set()
    except FileNotFoundError:
        return False


def freeze(group: str, on: bool, timeout: float = 10.0) -> None:
    """Stop every process of the cgroup where it stands, or let them go on. Returns when it is so."""
    freezer = _freezer(group)
    verb = "freeze" if on else "thaw"
    try:
        freezer.control.write_text(freezer.words[on])
        if not wait_until(lambda: freezer.reached(on), timeout, 0.01):
            raise CoreopsError(f"the processes of {group} did not {verb} within {timeout:g} s")
    except FileNotFoundError:
        raise CoreopsError(f"cannot {verb} {group}", why="it ended just now", next="try again") from None


def kill(group: str, timeout: float = 15.0) -> None:
    """End every process of the cgroup and wait until none is left. A frozen process dies when it is thawed."""

    def strike() -> bool:
        pids = processes(group) - {os.getpid()}
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if frozen(group):
            freeze(group, False)
        return not pids

    if not wait_until(strike, timeout, 0.02):
        raise CoreopsError(
            f"processes of {group} did not end within {timeout:g} s: {sorted(processes(group))}",
            why="they hang in the kernel",
            next="look at /proc/PID/stack of each",
        )


def children(group: str) -> list[str]:
    """Return the cgroups right below, in any tree."""
    found: set[str] = set()
    for tree in hierarchies():
        folder = tree.path / group
        if folder.is_dir():
            found.update(f"{group}/{child.name}" for child in folder.iterdir() if child.is_dir())
    return sorted(found)


def remove_if_empty(group: str) -> None:
    """Remove a cgroup that holds no other, in every tree."""
    if not children(group):
        remove(group)


def remove(group: str) -> None:
    """Remove the cgroup and all below it, in every tree."""
    for tree in hierarchies():
        for folder, _, _ in os.walk(tree.path / group, topdown=False):
            path = Path(folder)
            if not wait_until(lambda path=path: _removed(path), 5.0, 0.02):  # type: ignore[misc]
                raise CoreopsError(f"cannot remove the cgroup {path}", why="it is still in use")


def _removed(path: Path) -> bool:
    # A cgroup stays busy for a moment after its last process has ended.
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
