"""Breaking a lab's virtual machine on purpose. Every action returns only when its effect has been read back."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from typing import Final

from coreops.errors import CoreopsError, InputError
from coreops.providers.namespace import network, ssh
from coreops.providers.namespace.names import NodeNames
from coreops.providers.namespace.plan import LabPlan
from coreops.providers.qemu import machine
from coreops.providers.qemu.start import start

_GOES_DOWN: Final = 240.0
_FILLER: Final = "/.lab-filler"
# Reserves blocks without writing them: the image file on the host does not grow.
_FILL: Final = f"""\
at=0 step=1073741824
while [ "$step" -ge 4096 ]; do
  if fallocate -o "$at" -l "$step" {_FILLER} 2>/dev/null; then at=$((at + step)); else step=$((step / 2)); fi
done
[ -s {_FILLER} ]"""


def _on(names: NodeNames) -> None:
    if machine.pid(names.folder) is None:
        raise InputError(
            "the node is not running",
            where=names.node,
            next=f"coreops lab chaos {names.node} poweron --name {names.lab.lab}",
        )


def _awake(names: NodeNames) -> None:
    _on(names)
    if machine.state(names.folder) == "frozen":
        raise InputError(
            "the node is frozen and cannot do that",
            where=names.node,
            next=f"coreops lab chaos {names.node} thaw --name {names.lab.lab}",
        )


def kill(names: NodeNames) -> None:
    """Cut the power: what was not on the disk yet is lost."""
    _on(names)
    machine.kill(names.folder)


def freeze(names: NodeNames) -> None:
    """Stop its processors."""
    _on(names)
    machine.freeze(names.folder)


def thaw(names: NodeNames) -> None:
    """Let a frozen node go on."""
    _on(names)
    machine.thaw(names.folder)


def cut(names: NodeNames) -> None:
    """Unplug the network cable."""
    network.cut(names, True)


def heal(names: NodeNames) -> None:
    """Plug the network cable in again."""
    network.cut(names, False)


def poweroff(names: NodeNames) -> None:
    """Press the power button, for a clean end. Returns when the node is off."""
    _awake(names)
    if not machine.powerdown(names.folder, _GOES_DOWN):
        raise CoreopsError(
            f"the node did not switch itself off within {_GOES_DOWN:g} s",
            where=names.node,
            next=f"coreops lab logs {names.node} --name {names.lab.lab}",
        )


def poweron(names: NodeNames) -> None:
    """Switch the node on. A node that is on stays as it is."""
    if machine.pid(names.folder) is None:
        start(names)


def reboot(names: NodeNames) -> None:
    """Press the power button, and switch the node on again when it is off."""
    poweroff(names)
    start(names)


def fill_disk(names: NodeNames) -> None:
    """Leave no free block on ROOT, not even the reserved ones."""
    _inside(names, _FILL)


def free_disk(names: NodeNames) -> None:
    """Undo fill-disk."""
    _inside(names, f"rm -f {_FILLER}")


def _inside(names: NodeNames, script: str) -> None:
    _awake(names)
    plan = LabPlan.from_json(names.lab.plan_file.read_text())
    address = next(node.address for node in plan.nodes if node.name == names.node)
    argv = ssh.argv(names.lab, address, ["sudo", "sh", "-c", script])
    try:
        done = subprocess.run(argv, capture_output=True, text=True, errors="replace", timeout=_GOES_DOWN)
    except subprocess.TimeoutExpired:
        raise CoreopsError(f"the node did not answer within {_GOES_DOWN:g} s", where=names.node) from None
    if done.returncode:
        raise CoreopsError(
            "the node could not do that",
            where=names.node,
            why=done.stderr.strip() or f"exit status {done.returncode}",
            next=f"coreops lab ssh {names.node} --name {names.lab.lab}",
        )


ACTIONS: Final[Mapping[str, Callable[[NodeNames], None]]] = {
    "kill": kill,
    "freeze": freeze,
    "thaw": thaw,
    "cut": cut,
    "heal": heal,
    "reboot": reboot,
    "poweroff": poweroff,
    "poweron": poweron,
    "fill-disk": fill_disk,
    "free-disk": free_disk,
}
