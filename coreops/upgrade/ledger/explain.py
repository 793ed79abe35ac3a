"""A holder explained to the operator: who, how long silent, what the node is now, and the next command. Makes a step,
reads its answer, writes a paragraph; runs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from coreops.errors import CoreopsError
from coreops.model import Record, ShellStep
from coreops.shell.quote import q
from coreops.upgrade import guard
from coreops.upgrade.ledger.protocol import FORMAT, Lease, ago
from coreops.upgrade.protocol import ROLLOUT

STEP = "ledger-look"
_SCRIPT = Path(__file__).with_name("scripts") / "look.sh"


@dataclass(frozen=True, slots=True)
class Look:
    """What a leased node is now. fence: the highest fencing token it has seen."""

    boot_id: str = ""
    version: str = ""
    slot: str = ""
    fence: int = 0


def look_step() -> ShellStep:
    """The question to a node."""
    return ShellStep(
        id=STEP,
        title="look at the node",
        probe=_SCRIPT.read_text(encoding="ascii"),
        env={"FENCE": f"{guard.FOLDER}/fence"},
        timeout=20.0,
        ignore_errors=True,
    )


def read_look(record: Record) -> Look:
    """The node's answer."""
    lines = (line.partition(" ") for line in record.stdout.decode("utf-8", "replace").splitlines())
    found = {key: value.strip() for key, _, value in lines}
    fence = found.get("fence", "")
    return Look(
        found.get("boot_id", ""), found.get("version", ""), found.get("slot", ""), int(fence) if fence.isdigit() else 0
    )


def explain(lease: Lease, look: Look | CoreopsError | None, inventory: str) -> str:
    """One paragraph. look: None for what is no node (the rollout). inventory: as given on the command line."""
    parts = [_holder(lease), _life(lease), _node(lease, look)]
    return " ".join(part for part in parts if part) + f"\n  next: {_next(lease, look, inventory)}"


def _holder(lease: Lease) -> str:
    what = "the rollout" if lease.node == ROLLOUT else lease.node
    run = f"run {_line(lease.run)}, process {lease.pid}, " if lease.run else ""
    why = f' for "{_line(lease.reason)}"' if lease.reason else ""
    return f"{what}: leased by {_line(lease.owner)} ({run}token {lease.token}){why} since {lease.since or '?'}."


def _life(lease: Lease) -> str:
    doing = f' The last thing it said it would do: "{_line(lease.phase)}".' if lease.phase else ""
    if lease.alive:
        return f"It is alive: last renewed {ago(lease.silent)} ago.{doing}"
    return f"It has been silent for {ago(lease.silent)}.{doing}"


def _node(lease: Lease, look: Look | CoreopsError | None) -> str:
    if look is None:
        return ""
    if isinstance(look, CoreopsError):
        return f"The node cannot be reached now: {_line(look.what)}."
    runs = f"it runs {look.version or 'an unknown version'}" + (f" from {look.slot}" if look.slot else "")
    if not lease.boot_id or not look.boot_id:
        return f"The node can be reached; {runs}."
    if look.boot_id == lease.boot_id:
        return f"The node can be reached and has not rebooted since it was leased; {runs}."
    return f"The node can be reached and has rebooted since it was leased; {runs}."


def _next(lease: Lease, look: Look | CoreopsError | None, inventory: str) -> str:
    at = f"-i {q(inventory)}"
    if isinstance(look, Look) and look.fence > lease.token:
        return (
            f"the node has seen token {look.fence}, which is higher: it refuses this holder. If etcd was made anew, so "
            f"were its tokens: coreops exec {q(lease.node)} {at} -b -- rm {guard.FOLDER}/fence"
        )
    if lease.format > FORMAT:
        return "a newer coreops wrote this lease: use that one"
    if not lease.run:
        return f"coreops locks release {q(lease.node)} {at} --force --reason TEXT"
    if lease.alive:
        return f"leave it alone, or end it safely: coreops abort {q(lease.run)}"
    return (
        f"on {_line(lease.owner)}: coreops resume {q(lease.run)}; if that run is lost for good: "
        f"coreops locks release {q(lease.node)} {at} --force --reason TEXT"
    )


def _line(text: str) -> str:
    return " ".join(text.split())
