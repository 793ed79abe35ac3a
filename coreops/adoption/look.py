"""Connects to candidates and asks each who it is: as nobody in particular, without sudo, and trusting no key for good.

A key that nobody knows is kept in a file of this run only. Jump hosts must be known: they are not what is looked at.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from coreops.adoption.candidate import Answer
from coreops.engine.engine import Engine
from coreops.engine.steps import StepsProgram
from coreops.errors import CoreopsError, HostFailed, InputError
from coreops.identity import identity
from coreops.identity.identity import HostKey, Identity
from coreops.inventory import Host, Inventory, Setting, target
from coreops.inventory.aliases import ALIASES
from coreops.model import Position, Target
from coreops.transport.hostkeys import lookup_name, parse_known_hosts
from coreops.transport.sshconfig import resolve

_SAID = Position("the command line")


def look(
    inventory: Inventory, asked: Mapping[str, tuple[str, int | None]], connection: Mapping[str, Any]
) -> dict[str, Answer | CoreopsError]:
    """Ask machines who they are. asked: address and port, by the host that it is thought to be, or any other word.

    connection: defaults for ``inventory.target``. Raises InputError.
    """
    with TemporaryDirectory(prefix="coreops-adopt-") as folder:
        targets: dict[str, Target] = {}
        for number, (word, (address, port)) in enumerate(asked.items()):
            targets[word] = _target(inventory, word, address, port, connection, Path(folder) / str(number))
        programs = {word: StepsProgram([identity.step()], id=f"adopt{n}") for n, word in enumerate(targets)}
        with Engine(targets, lambda event: None, run=f"adopt-{secrets.token_hex(4)}") as engine:
            outcomes = engine.drive(programs)
        found: dict[str, Answer | CoreopsError] = {}
        for word, outcome in outcomes.items():
            try:
                if outcome.error is not None:
                    raise outcome.error
                found[word] = _answer(targets[word], identity.read(programs[word].records[identity.STEP], word))
            except CoreopsError as error:
                found[word] = error
        return found


def _target(
    inventory: Inventory, word: str, address: str, port: int | None, connection: Mapping[str, Any], file: Path
) -> Target:
    own = {ALIASES["address"][0]: Setting(address, _SAID)}
    if port is not None:
        own[ALIASES["port"][0]] = Setting(port, _SAID)
    host = inventory.hosts.get(word) or Host(word, _SAID, (), {})
    hidden = [name for key in ("address", *(["port"] if port else [])) for name in ALIASES[key]]
    settings = {name: each for name, each in host.settings.items() if name not in hidden} | own
    with_it = replace(inventory, hosts={**inventory.hosts, word: replace(host, settings=settings)})
    files = [Path(each) for each in connection.get("identity_files", ())]
    made = target(with_it, word, **{**connection, "identity_files": files})
    made = replace(made, become=False, become_password=None)
    if made.transport == "local":
        raise InputError("a machine is looked at by SSH", where=word, why="its connection is said to be local")
    for hop in resolve(made)[:-1]:
        if not hop.host_keys.known():
            raise InputError(
                "the host key of the jump host is unknown",
                where=hop.host_keys.name,
                why="whoever is there could show us any machine",
                next="connect to it once by another command with --accept-new, and compare the fingerprint",
            )
    return replace(made, accept_new=True, known_hosts=(file, *made.known_hosts))


def _answer(target: Target, found: Identity) -> Answer:
    """Raises HostFailed when nobody can say which key was shown."""
    new, *others = target.known_hosts
    name = lookup_name(target.address, target.port or 22)
    shown = _keys([new], None)
    if shown:
        return Answer(found, shown[0], known=False)
    plain = _keys(others, name)
    own = [key for key in plain if key in found.keys] or plain
    if not own:
        raise HostFailed(
            "its host key is trusted, but not by itself",
            where=target.name,
            why="an authority, or a pattern of known_hosts, vouches for it",
            next="such a machine needs no adoption: write it into the inventory",
        )
    return Answer(found, own[0], known=True)


def _keys(files: Sequence[Path], name: str | None) -> list[HostKey]:
    """The plain keys in files; of one name, or all."""
    found = []
    for file in files:
        if file.exists():
            parsed = parse_known_hosts(file.read_text("utf-8", "replace"), str(file))
            lines = parsed.keys if name is None else parsed.of(name)
            found += [HostKey(line.key_type, line.blob) for line in lines if not line.marker]
    return found
