"""Writes what was confirmed: a file a new host, and beside the inventory its address and host keys.

What an operator has written is not touched. A file in ``adopted/`` is written once, and theirs from then on.
"""

from __future__ import annotations

import json
import os
from ipaddress import ip_address
from pathlib import Path

from coreops.adoption.decide import Proposal
from coreops.errors import InputError
from coreops.identity.identity import HostKey
from coreops.inventory.machines import HOST
from coreops.providers.protocol import Machine
from coreops.providers.registry import STATIC
from coreops.provision.book import KNOWN_HOSTS, Book
from coreops.transport.hostkeys import HostKeyPolicy, record

FOLDER = "adopted"


def keep(proposal: Proposal, base: Path, book: Book, *, cluster: str, group: str) -> Path | None:
    """Make the machine its host; return the file of a new one. Raises CoreopsError.

    Run again after it was killed, it finishes: the file comes first, and the host is then one without an address.
    """
    candidate, found = proposal.candidate, proposal.answer.identity
    made = _write(proposal, base, group) if proposal.state == "new" else None
    keys = found.keys if proposal.answer.shown in found.keys else (proposal.answer.shown,)
    if candidate.port in (None, 22):
        machine = Machine(proposal.host, found.machine_id, "running", _addresses(candidate.address))
        book.learn(STATIC, cluster, machine, [key.line for key in keys], [candidate.address])
    else:
        _trust(base, candidate.address, candidate.port, keys)
    book.flush()
    return made


def _trust(base: Path, address: str, port: int, keys: tuple[HostKey, ...]) -> None:
    policy = HostKeyPolicy((base / KNOWN_HOSTS,), address, port, address)
    for key in keys:
        record(policy, key.type, key.blob)


def _addresses(text: str) -> dict[str, str]:
    """The address by its kind; a name is none."""
    try:
        found = ip_address(text)
    except ValueError:
        return {}
    return {f"{'private' if found.is_private else 'public'}_ipv{found.version}": text}


def _write(proposal: Proposal, base: Path, group: str) -> Path:
    """The file of a new host, whole or not at all."""
    candidate, path = proposal.candidate, base / FOLDER / f"{proposal.host}.yml"
    own: dict[str, object] = {}
    if candidate.port not in (None, 22) or not _addresses(candidate.address):
        own[HOST] = candidate.address
    if candidate.port is not None:
        own["ansible_port"] = candidate.port
    hosts = {"hosts": {proposal.host: own}}
    told: dict[str, object] = {"all": {"children": {group: hosts}} if group else hosts}
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(exist_ok=True)
        if path.exists():
            raise FileExistsError(0, "there is such a file, and the inventory has no such host")
        with aside.open("w", encoding="utf-8") as stream:
            stream.write(_yaml(proposal, told))
            stream.flush()
            os.fsync(stream.fileno())
        aside.replace(path)
    except OSError as error:
        raise InputError("the host cannot be written", where=path, why=error.strerror) from None
    return path


def _yaml(proposal: Proposal, told: dict[str, object]) -> str:
    """The words are checked, or JSON, which YAML reads alike."""
    import yaml

    text = yaml.safe_dump(told, sort_keys=False, default_flow_style=False)
    machine = json.dumps(proposal.answer.identity.machine_id)
    return f"# Adopted as machine-id {machine}. Yours now: move the host to another file as you like.\n{text}"
