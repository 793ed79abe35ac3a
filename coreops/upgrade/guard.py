"""The two questions a node asks itself before it does what a controller says: is this still the boot the controller
means, and has a newer controller been here? Makes sh and reads exit statuses; runs nothing.

Fencing: the node keeps the highest lease token it has seen and refuses lower ones, so a controller that slept through
the loss of its lease can do no harm when it wakes (facts: Kleppmann's fencing token; etcd's revision is the token).
"""

from __future__ import annotations

from dataclasses import dataclass

from coreops.model import Record
from coreops.shell.quote import q
from coreops.upgrade.protocol import FailureKind

FOLDER = "/var/lib/coreops/upgrade"
"""Where the node keeps ticket, fence and what was staged and drained. Root's, mode 0700, on ROOT: survives reboots."""

REBOOTED = 75
FENCED = 76
_KINDS: dict[int, FailureKind] = {REBOOTED: "rebooted", FENCED: "fenced"}


@dataclass(frozen=True, slots=True)
class Guard:
    """boot_id "" and token 0 ask nothing."""

    boot_id: str = ""
    token: int = 0


def guarded(script: str, guard: Guard) -> str:
    """``script`` behind both questions, in the same shell. It must not ``exit`` with 75 or 76 itself."""
    lines = [f"umask 077; mkdir -p {FOLDER} || exit 2"]
    if guard.boot_id:
        lines.append(
            f'read -r boot </proc/sys/kernel/random/boot_id; [ "$boot" = {q(guard.boot_id)} ] || '
            f'{{ echo "the node has rebooted: boot $boot, expected {guard.boot_id}" >&2; exit {REBOOTED}; }}'
        )
    if guard.token:
        lines.append(
            f"fence=0; [ ! -s {FOLDER}/fence ] || read -r fence <{FOLDER}/fence\n"
            f'[ "$fence" -le {guard.token:d} ] || {{ echo "a newer controller has been here: token $fence, '
            f'ours is {guard.token:d}" >&2; exit {FENCED}; }}\n'
            f'[ "$fence" -eq {guard.token:d} ] || {{ echo {guard.token:d} >{FOLDER}/fence.new && '
            f"sync {FOLDER}/fence.new && mv {FOLDER}/fence.new {FOLDER}/fence; }} || exit 2"
        )
    return "\n".join([*lines, "umask 022", script])


def failure_kind(record: Record) -> FailureKind:
    """What kind of failure a guarded step's record tells of."""
    return _KINDS.get(record.rc, "failed")
