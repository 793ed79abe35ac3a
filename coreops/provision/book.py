"""What was learned of machines, beside the inventory: ``.coreops/machines.json`` and ``known_hosts``.

Written anew by renaming, while machines are being made, so that whoever reads sees all of it. What a killed run did not
get to write, the next one learns again: providers find machines by their marks.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from coreops.errors import RefusedError
from coreops.inventory.machines import FILE, FORMAT, load_machines
from coreops.providers.protocol import Machine
from coreops.provision import trust

KNOWN_HOSTS = "known_hosts"
_SHARE = 20.0
"""Between two writes passes this many times what the last one took."""
LOCK = FILE.with_name("provision.lock")


class Book:
    """Several threads may write; of other processes the lock keeps out those that write."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._machines: dict[str, Mapping[str, Any]] = dict(load_machines(base))
        self._writing = Lock()
        self._changed = False
        self._gone: dict[str, None] = {}
        self._new: dict[str, None] = {}
        self._next_write = 0.0

    def keys(self, machine: Machine) -> tuple[str, ...]:
        """The host keys of this very machine, if they are known."""
        known = self._machines.get(machine.node, {})
        return tuple(known.get("host_keys", ())) if known.get("id") == machine.id else ()

    def known(self) -> Mapping[str, Mapping[str, Any]]:
        """What is known of each machine now, by node."""
        with self._writing:
            return dict(self._machines)

    def trusts(self, machine: Machine, names: Sequence[str]) -> bool:
        """Whether the operator has written a key into known_hosts for what the machine is reached by."""
        reached = (*names, *machine.addresses.values())
        with self._writing:
            own = {line for each in self._machines.values() for line in each.get("known_hosts", ())}
        try:
            text = (self._base / KNOWN_HOSTS).read_text(encoding="utf-8", errors="surrogateescape")
        except FileNotFoundError:
            return False
        return any(trust.names(line, reached) for line in text.splitlines() if line not in own)

    def learn(self, provider: str, cluster: str, machine: Machine, keys: Sequence[str], names: Sequence[str]) -> str:
        """Keep what is known of a machine, and return the id of the one whose place it took, or "".

        names: what it is reached by, besides its addresses. Raises CoreopsError.
        """
        reached = tuple(dict.fromkeys((*names, *machine.addresses.values())))
        lines = trust.lines(reached, keys, machine.node)
        learned = {
            "provider": provider,
            "cluster": cluster,
            "id": machine.id,
            "addresses": dict(machine.addresses),
            "host_keys": list(keys),
            "known_hosts": list(lines),
        }
        with self._writing:
            old = self._machines.get(machine.node, {})
            if old != learned:
                self._machines[machine.node] = learned
                self._change(old.get("known_hosts", ()), lines)
            return str(old["id"]) if old and old["id"] != machine.id else ""

    def forget(self, machine: Machine) -> None:
        """Forget a machine that is gone."""
        with self._writing:
            if self._machines.get(machine.node, {}).get("id") == machine.id:
                self._change(self._machines.pop(machine.node).get("known_hosts", ()), ())

    def flush(self) -> None:
        """Write what is not written yet."""
        with self._writing:
            if self._changed:
                self._write()

    def _change(self, old: Sequence[str], new: Sequence[str]) -> None:
        for line in old:
            self._new.pop(line, None)
            self._gone[line] = None
        for line in new:
            self._gone.pop(line, None)
            self._new[line] = None
        self._changed = True
        if time.monotonic() >= self._next_write:
            self._write()

    def _write(self) -> None:
        """known_hosts comes first: a run killed in between has its lines found, and kept as its own."""
        began = time.monotonic()
        self._trust()
        told = {"format": FORMAT, "machines": dict(sorted(self._machines.items()))}
        write_anew(self._base / FILE, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        self._changed = False
        # a thousand machines: writing all of them after each would take longer than making them
        self._next_write = time.monotonic() + _SHARE * (time.monotonic() - began)

    def _trust(self) -> None:
        rewrite_known_hosts(self._base, self._gone, self._new)
        self._gone, self._new = {}, {}


@contextmanager
def opened(base: Path) -> Iterator[Book]:
    """The book of an inventory's folder, for one process at a time. Raises RefusedError, InputError."""
    path = base / LOCK
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RefusedError(
                "another coreops makes or removes machines of this inventory",
                where=base,
                next="wait until it is done",
            ) from None
        book = Book(base)
        try:
            yield book
        finally:
            book.flush()


def rewrite_known_hosts(base: Path, gone: Collection[str], new: Collection[str]) -> None:
    """Take lines out of an inventory's known_hosts, and others in."""
    if not gone and not new:
        return
    path = base / KNOWN_HOSTS
    with path.open("a+", encoding="utf-8", errors="surrogateescape") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # against who records a new key
        stream.seek(0)
        text = stream.read()
        changed = trust.rewritten(text, gone, new)
        if changed != text:
            write_anew(path, changed)


def write_anew(path: Path, text: str) -> None:
    """Write a file by renaming: whoever reads sees all of it."""
    path = path.resolve()
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with aside.open("w", encoding="utf-8", errors="surrogateescape") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(path)
