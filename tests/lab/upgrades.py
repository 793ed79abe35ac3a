"""What the tests of upgrades on real nodes share: a lab with its store, a channel, the command line, a client of etcd
that writes all the time, and ways to read a node that do not go through what is being tested.
"""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import cycle
from pathlib import Path
from typing import Any, Self

import httpx
import yaml

from coreops.providers.namespace import cgroup
from coreops.providers.namespace.lab import Lab
from coreops.providers.namespace.plan import NodePlan

NODES = ("n1", "n2", "n3")
OLD, NEW = "1.0.0", "1.1.0"
WATCHED = "/etc /var/lib /root /home /boot /opt /srv"
PASSING = "/var/lib/etcd/*"
"""Changes by itself."""


def eventually(condition: Callable[[], Any], timeout: float, what: str) -> Any:
    """Wait until something is true, and return it."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        assert time.monotonic() < deadline, f"not within {timeout:g} s: {what}"
        time.sleep(0.05)
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

    process: subprocess.Popen[str]
    folder: Path
    known: frozenset[str]

    @cached_property
    def log(self) -> Path:
        """Its log, once it has one."""

        def found() -> Path | None:
            assert self.process.poll() is None, self.process.communicate()
            logs = sorted((self.folder / ".coreops/runs").glob("*/rollout.jsonl"))
            return next((log for log in logs if log.parent.name not in self.known), None)

        return eventually(found, 30, "the run has a log")

    def entries(self) -> list[dict[str, Any]]:
        """What its log says so far."""
        lines = self.log.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def wait_for(self, node: str, action: str, timeout: float = 90) -> None:
        """Return when the log tells that this is about to be done to the node."""

        def told() -> bool:
            if any(e.get("do", {}).get("node") == node and e["do"]["action"] == action for e in self.entries()):
                return True
            assert self.process.poll() is None, self.process.communicate()
            return False

        eventually(told, timeout, f"{action} of {node}")

    def end(self, expect: int, timeout: float = 180) -> str:
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
        self.process.communicate(timeout=10)


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

    @property
    def channel(self) -> Path:
        return self.folder / "channel"

    # The operator

    def command(self, *words: object) -> list[str]:
        """The command line, as the console script runs it."""
        return [sys.executable, "-c", "from coreops.cli import main; main()", *map(str, words)]

    def coreops(self, *words: object, expect: int = 0, timeout: float = 240) -> str:
        """Run a command to its end; return all it printed."""
        done = subprocess.run(
            self.command(*words),
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=self.folder,
            env=self.environment,
            check=False,
        )
        said = done.stdout + done.stderr
        assert done.returncode == expect, f"exit {done.returncode}, expected {expect}: {words}\n{said}"
        assert "Traceback" not in said, said
        return said

    def upgrade(self, *options: object, expect: int = 0) -> str:
        return self.coreops("upgrade", self.inventory, "--yes", *options, expect=expect)

    def start(self, *words: object, command: Sequence[str] | None = None) -> Run:
        """Start a command and do not wait."""
        known = frozenset(path.name for path in (self.folder / ".coreops/runs").glob("*"))
        process = subprocess.Popen(
            command or self.command(*words),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=self.folder,
            env=self.environment,
        )
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
            "upgrade_patience": {"interval": 0.5},
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

    def plan(self, name: str) -> NodePlan:
        return self.lab.node(name)

    def sh(self, name: str, script: str, *, check: bool = True) -> str:
        """Run a script as root on a node."""
        line = self.lab.ssh_command(name, ["sudo", "sh", "-c", script])
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert not check or done.returncode == 0, f"{name}: {script}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def boots(self, name: str) -> int:
        """How often the machine has started since it was switched on."""
        return int(json.loads(self.lab.names_of(name).run_file.read_text())["boots"])

    def runs_from(self, name: str) -> str:
        """The slot that the machine has booted, as the firmware says; "" while it boots."""
        return str(json.loads(self.lab.names_of(name).run_file.read_text()).get("slot", ""))

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
        return {node.name: self.sh(node.name, script) for node in self.lab.nodes} | {"keys": str(self.keys())}

    def console(self, name: str) -> str:
        """What the machine and its firmware said."""
        return self.lab.log(name).read_text(errors="replace")

    def inside(self, name: str, path: str) -> Path:
        """A file of a node that runs, from outside: also when sshd is not to be asked."""
        pid = cgroup.init_process(self.lab.names_of(name).cgroup)
        assert pid
        return Path(f"/proc/{pid}/root") / path.lstrip("/")

    # The store, through its HTTP gateway

    @cached_property
    def tls(self) -> ssl.SSLContext:
        pki = self.inventory / "pki"
        context = ssl.create_default_context(cafile=str(pki / "ca.crt"))
        context.load_cert_chain(str(pki / "client.crt"), str(pki / "client.key"))
        return context

    @property
    def endpoints(self) -> list[str]:
        return [f"https://{node.address}:2379" for node in self.lab.nodes]

    def ask_store(self, path: str, body: Mapping[str, Any], timeout: float = 20) -> dict[str, Any]:
        """Ask until one member answers."""
        deadline = time.monotonic() + timeout
        with httpx.Client(verify=self.tls, timeout=2.0) as client:
            for endpoint in cycle(self.endpoints):
                try:
                    answer = client.post(f"{endpoint}/v3/{path}", json=body)
                    if answer.status_code == 200:
                        return dict(answer.json())
                except httpx.HTTPError:
                    pass
                assert time.monotonic() < deadline, f"etcd does not answer {path}"
        raise AssertionError

    def keys(self, prefix: str = "/coreops/") -> dict[str, str]:
        """Keys below a prefix, and their values."""
        body = {"key": _b64(prefix), "range_end": _b64(prefix[:-1] + chr(ord(prefix[-1]) + 1))}
        found = self.ask_store("kv/range", body).get("kvs", [])
        return {_text(one["key"]): _text(one.get("value", "")) for one in found}

    def leader(self) -> str:
        """The node that leads the store; "" when its members do not agree."""
        ids: dict[str, str] = {}
        leaders = set()
        with httpx.Client(verify=self.tls, timeout=2.0) as client:
            for node in self.lab.nodes:
                try:
                    said = client.post(f"https://{node.address}:2379/v3/maintenance/status", json={}).json()
                except httpx.HTTPError:
                    continue
                ids[said["header"]["member_id"]] = node.name
                leaders.add(said.get("leader", ""))
        return ids.get(leaders.pop(), "") if len(leaders) == 1 else ""

    def move_leader(self, to: str) -> None:
        """As an operator might, behind the rollout's back."""
        ctl = "/opt/etcd/current/etcdctl --cacert /etc/etcd/pki/ca.crt --cert /etc/etcd/pki/client.crt"
        ctl = f"ETCDCTL_API=3 {ctl} --key /etc/etcd/pki/client.key"
        find = f"{ctl} member list | sed -n 's/^\\([0-9a-f]*\\), [a-z]*, {to}, .*/\\1/p'"
        ends = ",".join(self.endpoints)
        self.sh(to, f"id=$({find}); {ctl} --endpoints {ends} move-leader $id")
        eventually(lambda: self.leader() == to, 10, f"{to} leads")

    def healthy(self) -> bool:
        """Does every member serve, and follow one leader?"""
        with httpx.Client(verify=self.tls, timeout=2.0) as client:
            try:
                answers = [client.get(f"{endpoint}/health").json().get("health") for endpoint in self.endpoints]
            except (httpx.HTTPError, ValueError):
                return False
        return answers == ["true"] * len(answers) and bool(self.leader())

    def settle(self) -> None:
        """Mend what a test has broken on purpose, and wait until all is well."""
        for run in self.started:
            if run.process.poll() is None:
                run.kill()
        self.started.clear()
        for status in self.lab.status():
            if status.link == "cut":
                self.lab.chaos(status.node, "heal")
            if status.state == "frozen":
                self.lab.chaos(status.node, "thaw")
            if status.state not in ("running", "frozen", "booting"):
                self.lab.chaos(status.node, "poweron")
        eventually(self.healthy, 60, "etcd is well")


@contextmanager
def fleet(base: Path, letter: str) -> Iterator[Fleet]:
    """A lab of three nodes with etcd, and a channel without releases. Its name begins with ``letter``."""
    name = f"{letter}{os.getpid()}"
    try:
        made = Fleet(Lab.up(name, nodes=len(NODES), zones=3, inventory_folder=base / "inventory"), base)
        made.coreops("bootstrap", made.inventory)
        made.environment["COREOPS_CACHE"] = str(base / "cache")  # nobody else's images
        made.coreops("channel", "init")
        made.settings()
        yield made
        for run in made.started:
            if run.process.poll() is None:
                run.kill()
    finally:
        Lab.down(name)


class Writer:
    """A client that puts a new key every 50 ms, and tries again as clients do until the store has acknowledged it."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._failed: Exception | None = None
        self.acknowledged: list[int] = []
        self.retries = 0
        self.longest = 0.0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(timeout=30)

    def check(self) -> None:
        """All that was acknowledged is there; nobody had to wait for long."""
        assert self._failed is None, self._failed
        assert not self._thread.is_alive()
        there = {int(key.rpartition("/")[2]) for key in self._fleet.keys("/writer/")}
        lost = [number for number in self.acknowledged if number not in there]
        assert not lost, f"{len(lost)} acknowledged writes are lost: {lost[:10]}"
        assert self.longest < 15, f"no write was acknowledged for {self.longest:.1f} s"

    def _write(self) -> None:
        number, last = 0, time.monotonic()
        endpoints = cycle(self._fleet.endpoints)
        endpoint = next(endpoints)
        try:
            with httpx.Client(verify=self._fleet.tls, timeout=1.0) as client:
                while not self._ended.is_set():
                    body = {"key": _b64(f"/writer/{number:08}"), "value": _b64(str(number))}
                    try:
                        good = client.post(f"{endpoint}/v3/kv/put", json=body).status_code == 200
                    except httpx.HTTPError:
                        good = False
                    now = time.monotonic()
                    if good:
                        self.acknowledged.append(number)
                        self.longest, last = max(self.longest, now - last), now
                        number += 1
                    else:
                        self.retries += 1
                        endpoint = next(endpoints)
                    self._ended.wait(0.05)
        except Exception as error:
            self._failed = error


def last_lines(said: str) -> dict[str, str]:
    """Node -> what the end of a rollout said of it."""
    states = "done|current|rolled back|failed|lost|unreachable|blocked|not reached"
    found = re.findall(rf"^(n[0-9]+) +({states})\b(.*)$", said, re.M)
    return {name: (state + rest).strip() for name, state, rest in found}


def _b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _text(data: str) -> str:
    return base64.b64decode(data).decode(errors="replace")
