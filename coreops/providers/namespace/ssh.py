"""How a lab's own key, and the host keys that it made, get somebody onto a node as core."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from coreops.providers.namespace.names import LabNames


def argv(names: LabNames, address: str, command: Sequence[str] = (), *, key: Path | None = None) -> list[str]:
    """Return the argv that opens a shell, or runs a command. key: the one to use where the lab's cannot be read.

    One word is a command line for the node's shell; several are a program and its arguments, quoted on the way.
    """
    # The lab's own key is root's; under sudo the copy in the inventory belongs to the user.
    own = key is None or os.access(names.key_file, os.R_OK)
    options = {
        "IdentityFile": names.key_file if own else key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": names.known_hosts_file,
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": "10",
        # What OpenSSH prefers costs both ends five times as much, and nobody listens on a lab's own bridge.
        "KexAlgorithms": "^curve25519-sha256",
        "LogLevel": "ERROR",
    }
    words = ["ssh", "-F", "/dev/null", *(f"-o{option}={value}" for option, value in options.items())]
    words += [f"core@{address}"]
    if not command:
        return words
    return [*words, "--", command[0] if len(command) == 1 else shlex.join(command)]
