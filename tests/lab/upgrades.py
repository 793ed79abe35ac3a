"""What the tests of upgrades on real nodes share: a lab with its store, a channel, the command line, a client of etcd
that writes all the time, and ways to read a node that do not go through what is being tested.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from coreops.providers.namespace import cgroup
from coreops.providers.namespace.lab import Lab
from tests.lab import inside
from tests.lab.store_client import CALM, Store
from tests.support import warm

NODES = ("n1", "n2", "n3")
OLD, NEW = "1.0.0", "1.1.0"
WATCHED = "/etc /var/lib /root /home /boot /opt /srv"
PASSING = "/var/lib/etcd/*"
"""Changes by itself."""


def eventually(condition: Callable[[], Any], timeout: float, what: str) -> Any:
    """Wait until something is true, and return it."""
    deadline, pause = time.monotonic() + timeout, 0.05
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(pause)
        pause = min(0.2, 1.5 * pause)  # what is waited for needs the processor
    return found


@dataclass(frozen=True, slots=True)
class Node:
    """A node as its machine and its own files tell, not as coreops does. bits: slot -> priority, tries, successful."""

    slot: str
    release: str
    boot_id: str
    boots: int
    bits: Mapping[str, tuple[int, int, bool]]


@dataclass
class Run:
    """A coreops process that was started and is not waited for."""

    process: warm.Process
    folder: Path
    known: frozenset[str]

    @cached_property
    def log(self) -> Path:
        """Its log, once it has one."""

        def found() -> Path | None:
            ended = self.process.poll() is not None
            logs = sorted((self.folder / ".coreops/runs").glob("*/rollout.jsonl"))
            own = next((log for log in logs if log.parent.name not in self.known), None)
            assert own or not ended, "it ended without one"
            return own

        return eventually(found, 120, "the run has a log")

    def entries(self) -> list[dict[str, Any]]:
        """What its log says so far."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait_for(self, node: str, action: str, timeout: float = 240) -> None:
        """Return when the log tells that this is about to be done to the node."""

        def told() -> bool:
            if any(e.get("do", {}).get("node") == node and e["do"]["action"] == action for e in self.entries()):
                return True
            assert self.process.poll() is None, self.process.communicate()
            return False

        eventually(told, timeout, f"{action} of {node}")

    def end(self, expect: int, timeout: float = 300) -> str:
        """Wait for its end; return what it printed."""
        out, err = self.process.communicate(timeout=timeout)
        assert self.process.returncode == expect, f"exit {self.process.returncode}, expected {expect}\n{out}{err}"
        return out + err

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process."""
        self.process.send_signal(number)

    def kill(self) -> None:
        """Gone, whatever it was doing."""
        self.process.kill()
        self.process.communicate(timeout=60)


@dataclass
class Fleet:
    """A lab of three nodes with etcd, its inventory, a channel repository, and a folder that the operator works in."""

    lab: Lab
    folder: Path
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))
    started: list[Run] = field(default_factory=list)

    @property
    def inventory(self) -> Path:
        return self.folder / "inventory"

    @cached_property
    def store(self) -> Store:
        return Store(self.lab, self.inventory / "pki")

    @property
    def channel(self) -> Path:
        return self.folder / "channel"

    # The operator

    def command(self, *words: object) -> list[str]:
        """The command line, as the console script runs it."""
        return [sys.executable, "-c", warm.MAIN, *map(str, words)]

    def coreops(self, *words: object, expect: int = 0, timeout: float = 400) -> str:
        """Run a command to its end; return all it printed."""
        done = warm.run(self.command(*words), timeout=timeout, cwd=self.folder, env=self.environment)
        said = done.stdout + done.stderr
        assert done.returncode == expect, f"exit {done.returncode}, expected {expect}: {words}\n{said}"
        assert "Traceback" not in said, said
        return said

    def upgrade(self, *options: object, expect: int = 0) -> str:
        return self.coreops("upgrade", self.inventory, "--yes", *options, expect=expect)

    def start(self, *words: object, command: Sequence[str] | None = None) -> Run:
        """Start a command and do not wait."""
        known = frozenset(path.name for path in (self.folder / ".coreops/runs").glob("*"))
        process = warm.start(command or self.command(*words), cwd=self.folder, env=self.environment)
        self.started.append(Run(process, self.folder, known))
        return self.started[-1]

    def start_upgrade(self, *options: object) -> Run:
        return self.start("upgrade", self.inventory, "--yes", *options)

    def settings(self, **variables: Any) -> None:
        """The inventory's variables of upgrades; those of before are gone."""
        base = {
            "upgrade_channel": "stable",
            "upgrade_repository": "../channel",
            "upgrade_root": "../channel.keys/root.json",
            "upgrade_soak": 1,
            "upgrade_turn": 10,
            "upgrade_patience": {"interval": 1.5},
        }
        patience = base["upgrade_patience"] | variables.pop("upgrade_patience", {})
        made = base | variables | {"upgrade_patience": patience}
        (self.inventory / "group_vars").mkdir(exist_ok=True)
        (self.inventory / "group_vars/all.yml").write_text(yaml.safe_dump(made))

    def publish(self, image: Path, version: str, *options: object, to: str | None = "stable", expect: int = 0) -> str:
        """Publish a release, and let a channel have it."""
        said = self.coreops(
            "channel", "publish", image, "--version", version, "--channel", "alpha", *options, expect=expect
        )
        if to and not expect:
            self.coreops("channel", "promote", version, "--to", to)
        return said

    # The nodes, read without coreops upgrade

    def sh(self, name: str, script: str, *, check: bool = True) -> str:
        """Run a script as root on a node."""
        return inside.sh(self.lab, name, script, check=check)

    def boots(self, name: str) -> int:
        """How often the machine has started since it was switched on."""
        return int(json.loads(self.lab.names_of(name).run_file.read_text())["boots"])

    def runs_from(self, name: str) -> str:
        """The slot that the machine has booted, as the firmware says; "" while it boots."""
        return str(json.loads(self.lab.names_of(name).run_file.read_text()).get("slot", ""))

    def is_on(self, name: str) -> bool:
        """Has its systemd begun?"""
        return cgroup.init_process(self.lab.names_of(name).cgroup) is not None

    def look(self) -> dict[str, Node]:
        """All nodes. What is mounted is what counts, and what the file system there says it is."""
        found = {}
        for status in self.lab.status():
            name = status.node
            said = self.sh(name, "cat /proc/sys/kernel/random/boot_id; . /usr/lib/os-release; echo $VERSION_ID").split()
            assert status.slot, status
            assert status.release == said[1], status
            bits = {slot.label: (slot.priority, slot.tries, slot.successful) for slot in status.slots}
            found[name] = Node(status.slot, said[1], said[0], self.boots(name), bits)
        return found

    def fingerprint(self) -> dict[str, str]:
        """All that a node keeps: every file of ROOT but etcd's, writes to both slots, the table, what runs."""
        script = f"""
            find {WATCHED} -xdev -not -path '{PASSING}' -not -path /var/lib/etcd -printf '%p %s %m %u %T@\\n' | sort
            for slot in USR-A USR-B; do
                device=$(stat -L -c %Hr:%Lr /dev/disk/by-partlabel/$slot)
                awk '{{ print $5, $7 }}' /sys/dev/block/$device/stat
            done
            sfdisk -d /dev/vda
            cat /proc/sys/kernel/random/boot_id
            find /run/coreops 2>/dev/null
            systemctl list-units --type=service --plain --no-legend --state=active,failed | grep -v ssh@ | cut -d' ' -f1
        """
        return {node.name: self.sh(node.name, script) for node in self.lab.nodes} | {"keys": str(self.store.keys())}

    def console(self, name: str) -> str:
        """What the machine and its firmware said."""
        return self.lab.log(name).read_text(errors="replace")

    def inside(self, name: str, path: str) -> Path:
        """A file of a node that runs, from outside: also when sshd is not to be asked."""
        pid = cgroup.init_process(self.lab.names_of(name).cgroup)
        assert pid
        return Path(f"/proc/{pid}/root") / path.lstrip("/")

    def move_leader(self, to: str) -> None:
        """As an operator might, behind the rollout's back."""
        ctl = "/opt/etcd/current/etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/client.crt"
        ctl = f"ETCDCTL_API=3 {ctl} --key /etc/etcd/pki/client.key"
        find = f"{ctl} member list | sed -n 's/^\\([0-9a-f]*\\), [a-z]*, {to}, .*/\\1/p'"
        ends = ",".join(self.store.endpoints)
        self.sh(to, f"id=$({find}); {ctl} --endpoints {ends} move-leader $id")
        eventually(lambda: self.store.leader() == to, 60, f"{to} leads")

    def settle(self) -> None:
        """Mend what a test has broken on purpose, and wait until all is well."""
        for run in self.started:
            run.kill()
        self.started.clear()
        for status in self.lab.status():
            if status.link == "cut":
                self.lab.chaos(status.node, "heal")
            if status.state == "frozen":
                self.lab.chaos(status.node, "thaw")
            if status.state not in ("running", "frozen", "booting"):
                self.lab.chaos(status.node, "poweron")
        eventually(self.store.healthy, 180, "etcd is well")


@contextmanager
def fleet(base: Path, letter: str, *, extra: str | None = None, **variables: Any) -> Iterator[Fleet]:
    """A lab of three nodes with etcd, and a channel without releases. Its name begins with ``letter``.

    extra: what the nodes have beside. variables: of all hosts, before the cluster is made.
    """
    name = f"{letter}{os.getpid()}"
    try:
        made = Fleet(Lab.up(name, nodes=len(NODES), zones=3, inventory_folder=base / "inventory", extra=extra), base)
        (made.inventory / "more.yml").write_text(json.dumps({"all": {"vars": {"etcd_flags": CALM, **variables}}}))
        made.coreops("bootstrap", made.inventory)
        made.environment["COREOPS_CACHE"] = str(base / "cache")  # nobody else's images
        made.coreops("channel", "init")
        made.settings()
        yield made
        for run in made.started:
            run.kill()
    finally:
        Lab.down(name)


def last_lines(said: str) -> dict[str, str]:
    """Node -> what the end of a rollout said of it."""
    states = "done|current|rolled back|failed|lost|unreachable|blocked|not reached"
    found = re.findall(rf"^(n[0-9]+) +({states})\b(.*)$", said, re.M)
    return {name: (state + rest).strip() for name, state, rest in found}
