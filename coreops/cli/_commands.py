"""The commands by name, as data: what ``coreops --help`` prints and where each command lives.

A command's module exposes ``app`` (a Typer) or a function of the command's name (``exec_`` for exec).
"""

from __future__ import annotations

from typing import Final

COMMANDS: Final[dict[str, str]] = {
    "provision": "Make the machines of an inventory that are missing.",
    "plan": "Show how the machines differ from the inventory.",
    "destroy": "Remove machines that coreops made.",
    "console": "Show what a machine writes to its console.",
    "power": "Switch a machine on or off, or reset it.",
    "adopt": "Make machines that are there already hosts of the inventory.",
    "bootstrap": "Take the hosts of an inventory to a healthy etcd cluster.",
    "nodes": "Show every node as its scheduler knows it: state, cordon, tasks, version.",
    "drain": "Move the work of nodes away, and keep new work from coming.",
    "uncordon": "Let work come to nodes again.",
    "certificate": "Sign a server's certificate with the inventory's own authority.",
    "heal": "Find dead members and nodes, and repair the cluster.",
    "upgrade": "Take every node to the newest release of its channel, node by node.",
    "rollback": "Take nodes back to the release in their other slot.",
    "resume": "Go on with a rollout that was interrupted, or whose controller died.",
    "abort": "End a rollout: finish what is under way safely, begin nothing new.",
    "why": "Say in a paragraph what a node is waited for, or how it ended.",
    "status": "Show every node: version, slots, what is staged, what is under way.",
    "audit": "Name every host that is behind its channel, or that nobody can reach.",
    "locks": "Show who holds the leases of nodes, and take one away by force.",
    "deny": "Show, add and clear versions that must not be installed.",
    "channel": "Publish releases in signed channels; look at, verify and serve them.",
    "validate": "Judge cloud-config files before a machine reads them.",
    "convert": "Turn a file for coreos-cloudinit into Ignition, Butane or cloud-init.",
    "run": "Run a playbook on the hosts of an inventory.",
    "exec": "Run one command on the hosts that match a pattern.",
    "render": "Write what every node is told at birth, for its platform.",
    "serve-config": "Serve rendered user-data to booting machines, to each its own.",
    "discovery": "Let etcd members that boot alone find each other.",
    "inventory": "List hosts and groups, and explain where a variable comes from.",
    "lab": "Boot, look at, break and remove local labs of real nodes.",
    "units": "Run systemd units with [X-Fleet] on the cluster's scheduler.",
    "modules": "List the modules that tasks can use, or show one.",
    "version": "Print the version.",
}

EXIT_CODES: Final[dict[int, str]] = {
    0: "done",
    1: "some host failed",
    2: "bad input or usage; nothing was touched",
    3: "hosts unreachable",
    4: "refused for safety (quorum, lock, window)",
    5: "interrupted; can be resumed",
}


def exit_codes_epilog() -> str:
    """The epilog of every ``--help``; ``\\b`` keeps click from refilling the lines."""
    return "\b\nExit codes:\n" + "\n".join(f"  {code}  {meaning}" for code, meaning in EXIT_CODES.items())
