"""Hosts on which k3s starts, joins and fails as the real one does, as far as coreops depends on it; coreops's own
scripts run for real. What k3s does follows its source: pkg/cluster/bootstrap.go and pkg/clientaccess/token.go (tokens),
pkg/nodepassword (names), pkg/etcd (members), and install.sh (units). A new token for agents: genUsers of
pkg/daemons/control/deps/deps.go writes it into the passwd file at a start, tokenRotate of pkg/server/handlers/token.go
is all that saves that file where the servers meet, and ReconcileBootstrapData of pkg/cluster/bootstrap.go ends k3s when
the file is the newer one (rancher/rke2#5785, rancher/rke2#4034 for its words).
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from subprocess import CompletedProcess

import yaml

from coreops.model import Record, ShellStep
from coreops.schedulers.k3s import make, rendering
from coreops.schedulers.k3s.adapter import K3s
from coreops.schedulers.protocol import Cluster, Move, Seen, Settled
from tests.schedulers.k3s.fake_kubernetes import Kubernetes, Server
from tests.schedulers.k3s.remembered import run_once
from tests.schedulers.k3s.world import Box, kubeconfig, played
from tests.support.shells import SHELLS

FILES = Path(__file__).parents[3] / "playbooks/files/k3s"
TOKENS = {rendering.SERVER_TOKEN: "5" * 64, rendering.AGENT_TOKEN: "6" * 64}


_CURL = """#!/bin/sh
# What a server does with PUT /v1-k3s/token (pkg/server/handlers/token.go): for its own user only.
for word; do
    case $word in
        @*rotate.header) header=$(cat "${word#@}") ;;
        https:*) url=$word ;;
        *"$(sed 's/.*://' "$ROOT/var/lib/rancher/k3s/server/token")"*) echo 'a secret is in an argument' >&2; exit 99 ;;
    esac
done
file=$ROOT/var/lib/rancher/k3s/server/token
[ "$url" = https://127.0.0.1:6443/v1-k3s/token ] || exit 7
if [ "$(echo "${header#*Basic }" | base64 -d)" != "server:$(sed 's/.*://' "$file")" ]; then
    echo '{"message":"Unauthorized"}' >"$ROOT/run/coreops-k3s/rotate.said"; printf 401; exit 0
fi
new=$(sed -n 's/^{"newToken":"\\(.*\\)"}$/\\1/p')
printf '%s:%s\\n' "$(sed 's/:[^:]*$//' "$file")" "$new" >"$file.new" && mv "$file.new" "$file"
printf 200
"""


class Failed(Exception):
    """k3s ended with this as its last, fatal word."""


class Rejected(Exception):
    """k3s runs, and says this again and again."""


class Machines:
    """The hosts of a cluster, from bare. ``bootstrap`` is what coreops does with them."""

    def __init__(self, folder: Path, server: Server, cluster: Cluster) -> None:
        self.server, self.folder = server, folder
        self.kube = server.cluster = Kubernetes()
        self.boxes = {name: Box(folder / name, f"machine-of-{name}") for name in cluster.names}
        self.passwords: dict[str, str] = {}
        self.store: str | None = None  # the token that the data in the store is encrypted with
        self.tokens = dict(TOKENS)
        self.before = ""
        self.secret = ""  # the token that the cluster's own data is encrypted with
        self.agents = ""  # the token of agents in that data
        self.waiting: set[str] = set()
        self.shell: Sequence[str] = SHELLS["dash"]
        self.want(cluster)

    def want(self, cluster: Cluster) -> None:
        made = make(cluster)
        assert isinstance(made, K3s)
        self.scheduler = made

    def install(self) -> None:
        """What the playbook leaves on every host."""
        variables = self.scheduler.variables(dict.fromkeys(self.boxes, "/archive"), "/pki")
        for host, node in variables["k3s_nodes"].items():
            box = self.boxes[host]
            box.write("opt/bin/version", node["release"] + "\n")
            box.link(node["release"])
            box.write("etc/rancher/k3s/config.yaml", node["config"])
            box.write(f"etc/rancher/k3s/{node['token_file']}", self.tokens[node["token"]] + "\n")
            if node["server"] and self.before:
                box.write("etc/rancher/k3s/token.before", self.before + "\n")
            if node["server"]:
                box.write("etc/rancher/k3s/agent-token", self.tokens[rendering.AGENT_TOKEN] + "\n")
            for name in ("fingerprint.sh", "guard.sh"):
                shutil.copy(FILES / name, box.root / "etc/rancher/k3s" / name)
            unit = f"# Managed by coreops.\n{node['bin_dir']}/k3s {node['command']}\n"
            box.write(f"etc/systemd/system/{node['unit']}.service", unit)
            if not (box.root / f"run/systemd/{node['unit']}.service").exists():
                self._state(host, "inactive")

    def look(self) -> dict[str, Seen]:
        return {host: self._hold(host, self.scheduler.look(host)) for host in self.boxes}

    def bootstrap(self, moves: int = 40) -> tuple[list[str], Settled]:
        """Decide and do until it is settled: the titles of the moves."""
        self.scheduler.decide(self.look())
        self.install()
        titles: list[str] = []
        for _ in range(moves):
            step = self.scheduler.decide(self.look())
            if isinstance(step, Settled):
                return titles, step
            titles.append(step.title)
            self._do(step)
            self.kube.tick()
            for host in sorted(self.waiting):
                self.waiting.discard(host)
                self._restart(host, self.scheduler.plan.nodes[host].unit)
        raise AssertionError(f"it does not settle: {titles}")

    def wipe(self, host: str) -> None:
        """The disk with /var, and what k3s keeps of itself in /etc, is new; the machine was away for a while."""
        shutil.rmtree(self.boxes[host].root / "var")
        (self.boxes[host].root / "etc/rancher/node/password").unlink()
        (self.boxes[host].root / "etc/rancher/k3s/k3s.yaml").unlink(missing_ok=True)
        self._state(host, "inactive")
        self.kube.ready(host, False)

    def _do(self, move: Move) -> None:
        assert not move.play
        for host, talk in move.talks.items():
            self._hold(host, talk())
            for line in self.boxes[host].asked():
                if line.startswith("start"):
                    self._restart(host, line.split()[-1].removesuffix(".service"))

    def _hold(self, host: str, talk):  # type: ignore[no-untyped-def]
        answer = None
        try:
            while True:
                said = talk.send(answer)
                if isinstance(said, ShellStep):
                    answer = self._run(host, said)
                else:
                    self.kube.clock += said.seconds
                    self.kube.tick()
                    answer = None
        except StopIteration as end:
            return end.value

    def _run(self, host: str, step: ShellStep) -> Record:
        if (answer := played(self.kube, step)) is not None:
            return answer
        if step.id == "k3s-rotate":
            self.boxes[host].write("bin/curl", _CURL)
            (self.boxes[host].root / "bin/curl").chmod(0o755)
        done = self._sh(host, step.act or "", {**step.env, "KUBECTL": ""}, self.shell)
        (self.boxes[host].root / "bin/curl").unlink(missing_ok=True)
        if step.id == "k3s-rotate" and done.returncode == 0:
            token = (self.boxes[host].root / "var/lib/rancher/k3s/server/token").read_text()
            self.secret = token.strip().rpartition(":")[2]
            self.store = self.secret if self.store else None
        state = "changed" if done.returncode == 0 else "failed"
        return Record(step.id, state, rc=done.returncode, stdout=done.stdout, stderr=done.stderr)  # type: ignore[arg-type]

    def _sh(self, host: str, script: str, env: Mapping[str, str], shell: Sequence[str]) -> CompletedProcess[bytes]:
        box = self.boxes[host]
        asked = (script, *sorted(env.items()), *shell)
        return run_once(box.root, self.server, asked, lambda: box.sh(script, env, shell))

    def _state(self, host: str, active: str, restarts: int = 0) -> None:
        unit = self.scheduler.plan.nodes[host].unit
        self.boxes[host].write(f"run/systemd/{unit}.service", f"ActiveState={active}\nNRestarts={restarts}\n")

    def _restart(self, host: str, unit: str) -> None:
        """What systemd does, with Restart=always; and k3s."""
        box, node = self.boxes[host], self.scheduler.plan.nodes[host]
        assert unit == node.unit
        embedded = "embedded" if node.server and not self.scheduler.plan.store else "elsewhere"
        guard = self._sh(host, f'sh "$ROOT/etc/rancher/k3s/guard.sh" "$ROOT/opt/bin" {embedded}', {}, SHELLS["dash"])
        try:
            if guard.returncode:
                raise Failed(guard.stderr.decode().strip())
            assert (box.root / "run/coreops-k3s/token").stat().st_mode & 0o777 == 0o600
            self._k3s(host, box)
        except Rejected as rejected:
            said = f'level=info msg="Waiting to retrieve agent configuration; server is not ready: {rejected}"\n'
            box.write("run/systemd/journal", said)
            self._state(host, "active")
            self.waiting.add(host)
            return
        except Failed as failed:
            box.write("run/systemd/journal", f'time="2026-01-01T00:00:00Z" level=fatal msg="{failed}"\n')
            self._state(host, "activating", restarts=5)
            return
        self._state(host, "active")
        box.write("run/systemd/journal", 'level=info msg="Running"\n')
        if embedded == "embedded":
            box.write("etc/rancher/k3s/formed", "")

    def _k3s(self, host: str, box: Box) -> None:
        config = {}
        for path in [box.root / "etc/rancher/k3s/config.yaml", *(box.root / "etc/rancher/k3s/config.yaml.d").iterdir()]:
            config |= yaml.safe_load(path.read_text()) or {}
        token = (box.root / config["token-file"].lstrip("/")).read_text()
        secret, data = token.rpartition(":")[2], box.root / "var/lib/rancher/k3s"
        node = self.scheduler.plan.nodes[host]
        member = data / "server/db/etcd/member"
        if node.server and not member.exists() and not (data / "server/token").exists():
            authority = self._server(config, token, secret)
            if "datastore-endpoint" not in config:
                member.mkdir(parents=True)
            digest = hashlib.sha256(authority.encode()).hexdigest()
            box.write("var/lib/rancher/k3s/server/token", f"K10{digest}::server:{secret}\n")
            box.write("var/lib/rancher/k3s/server/authority", authority)
            self.secret = self.secret or secret
        elif node.server:
            if secret != self.secret:
                raise Failed("starting kubernetes: bootstrap data already found and encrypted with different token")
            path = data / "server/token"
            path.write_text(path.read_text().rpartition(":")[0] + f":{secret}\n")
        elif not node.server:
            authority = self._joined(config["server"], token, self.tokens[rendering.AGENT_TOKEN])
            box.write("var/lib/rancher/k3s/agent/server-ca.crt", authority)
            box.write("var/lib/rancher/k3s/agent/client-kubelet.crt", "")
        if node.server:
            self._users(box, data, (box.root / config["agent-token-file"].lstrip("/")).read_text().strip())
        self._register(config, box, str(node.version), node.server)
        if node.server:
            kubeconfig(box, self.server.url)

    def _users(self, box: Box, data: Path, agents: str) -> None:
        passwd = data / "server/cred/passwd"
        if passwd.exists() and passwd.read_text() != self.agents:
            raise Failed(f"{passwd} newer than datastore and could cause a cluster outage")
        self.agents = self.agents or agents
        box.write("var/lib/rancher/k3s/server/cred/passwd", agents)
        authority = (data / "server/token").read_text().partition("::")[0]
        box.write("var/lib/rancher/k3s/server/agent-token", f"{authority}::node:{agents}\n")

    def _server(self, config: Mapping[str, str], token: str, secret: str) -> str:
        """A server without data: the authority of the cluster that it is in now."""
        new = "-----BEGIN CERTIFICATE-----\nan authority\n-----END CERTIFICATE-----\n"
        if "datastore-endpoint" in config:
            if self.store not in (None, secret):
                raise Failed("starting kubernetes: bootstrap data already found and encrypted with different token")
            self.store = secret
            return new
        if config.get("cluster-init"):
            assert not any("server" in config_of(box) for box in self.boxes.values()), "a second cluster is born"
            return new
        return self._joined(config["server"], token, self.secret)

    def _joined(self, url: str, token: str, expected: str) -> str:
        address = url.removeprefix("https://").removesuffix(":6443")
        host = next(name for name, node in self.scheduler.plan.nodes.items() if node.address == address)
        path = self.boxes[host].root / "var/lib/rancher/k3s/server/authority"
        if not path.exists():
            raise Failed(f"failed to get CA certs: Get {url}/cacerts: connection refused")
        authority = path.read_text()
        digest, _, user = token.removeprefix("K10").partition("::")
        if token.startswith("K10") and digest != hashlib.sha256(authority.encode()).hexdigest():
            raise Failed("token CA hash does not match the Cluster CA certificate hash")
        if user.rpartition(":")[2] != expected:
            raise Failed(f"https://{address}:6443/v1-k3s/client-ca.crt: 401 Unauthorized")
        return authority

    def _register(self, config: Mapping[str, str], box: Box, version: str, server: bool) -> None:
        name = config["node-name"]
        path = box.root / "etc/rancher/node/password"
        if not path.exists():
            box.write("etc/rancher/node/password", f"made-for-{len(self.passwords)}-{name}")
        if ("kube-system", f"{name}.node-password.k3s") in self.kube.secrets and self.passwords.get(
            name
        ) != path.read_text():
            raise Rejected(
                "Node password rejected, duplicate hostname or contents of '/etc/rancher/node/password' may not match"
            )
        self.passwords[name] = path.read_text()
        if name not in self.kube.nodes:
            labels = dict(each.split("=", 1) for each in config.get("node-label", ()))
            self.kube.node(name, server=server, etcd=server and "datastore-endpoint" not in config, **labels)
        self.kube.nodes[name]["status"]["nodeInfo"]["kubeletVersion"] = version
        self.kube.ready(name, True)


def config_of(box: Box) -> str:
    """How a host was told to join."""
    path = box.root / "etc/rancher/k3s/config.yaml.d/10-coreops-join.yaml"
    return path.read_text() if path.exists() else ""
