"""The key that the servers' gossip is encrypted with. What ``pki/nomad-gossip`` says is wanted; when it is another one
than the servers use, the new one is given to all of them, used, and the old one taken away.

Nomad's keyring: command/agent/agent_endpoint.go (KeyringOperationRequest), ``nomad operator gossip keyring``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from coreops.errors import HostFailed
from coreops.model import ShellStep
from coreops.schedulers.nomad.api import SCRIPT, Api
from coreops.schedulers.protocol import Elsewhere, Pause, Talk, ask

_SCRIPT = Path(__file__).with_name("gossip.sh")


@dataclass(frozen=True, slots=True)
class Keys:
    """How many keys there are, on how many servers the wanted one is, and how many answered."""

    number: int
    have: int
    nodes: int

    @property
    def settled(self) -> bool:
        return self.number == 1 and self.have == self.nodes


def keys(api: Api, folder: str) -> Talk[Keys]:
    """Runs on a server. Raises Elsewhere, HostFailed."""
    said = yield from _do(api, folder, "list")
    words = said.split()
    if len(words) != 3 or not all(word.isdigit() for word in words):
        raise HostFailed("Nomad's keyring cannot be read")
    return Keys(*map(int, words))


def rekey(api: Api, folder: str, servers: int) -> Talk[None]:
    """Make the wanted key the only one. Safe to break off anywhere: every server has both until all have the new."""
    while True:
        found = yield from keys(api, folder)
        if found.settled:
            return
        if found.nodes < servers:
            yield Pause((f"{servers - found.nodes} of {servers} servers, which would be locked out with the old key",))
        elif found.have < found.nodes:
            yield from _do(api, folder, "install")
        else:
            yield from _do(api, folder, "use")
            yield from _do(api, folder, "remove")


def _do(api: Api, folder: str, verb: str) -> Talk[str]:
    record = yield from ask(_step(api, folder, verb))
    if record.state in ("failed", "unknown"):
        said = record.stderr.decode("utf-8", errors="replace").strip().splitlines()
        kind = Elsewhere if record.rc in (5, 6) else HostFailed
        raise kind(f"could not {verb} the gossip key", why=said[-1] if said else f"exit {record.rc}")
    return record.stdout.decode("ascii", errors="replace")


def _step(api: Api, folder: str, verb: str) -> ShellStep:
    text = SCRIPT.read_text(encoding="utf-8") + "\n" + _SCRIPT.read_text(encoding="utf-8")
    env: Mapping[str, str] = {**api.env("/v1/agent/keyring"), "FOLDER": folder, "OP": verb}
    reads = verb == "list"
    return ShellStep(
        id=f"nomad-gossip-{verb}",
        title=f"{verb} the gossip key of Nomad",
        probe=text if reads else None,
        act=None if reads else text,
        env=env,
        timeout=60.0,
        secret=True,
    )
