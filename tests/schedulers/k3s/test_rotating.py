"""``--rotate-tokens``: coreops's decisions and scripts, on hosts that play k3s (``machines``)."""

from __future__ import annotations

import base64
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from coreops.errors import RefusedError
from coreops.schedulers.k3s import rendering
from coreops.schedulers.protocol import Move
from coreops.store import pki
from coreops.store.pki import Leaf
from tests.schedulers.k3s.fake_kubernetes import Server
from tests.schedulers.k3s.machines import Machines
from tests.schedulers.k3s.world import cluster

pytestmark = pytest.mark.slow
ROLES = {"m1": "manager", "m2": "manager", "m3": "manager", "w1": "worker"}
STORE = ("https://10.0.0.1:2379", "https://10.0.0.2:2379", "https://10.0.0.3:2379")
OLD, NEW = "5" * 64, "7" * 64
NewMachines = Callable[..., Machines]


@pytest.fixture
def new(tmp_path: Path, server: Server) -> NewMachines:
    return lambda roles=ROLES, **settings: Machines(tmp_path, server, cluster(roles, **settings))


def renew(machines: Machines) -> None:
    """What ``--rotate-tokens`` leaves in pki/."""
    assert machines.scheduler.renewable() == (rendering.SERVER_TOKEN,)
    assert machines.scheduler.remembered() == (rendering.SERVER_TOKEN,)
    machines.before, machines.tokens[rendering.SERVER_TOKEN] = OLD, NEW


def secrets(machines: Machines, path: str) -> set[str]:
    boxes = [machines.boxes[host].root / path for host in ("m1", "m2", "m3")]
    return {each.read_text().strip().rpartition(":")[2] for each in boxes}


@pytest.mark.parametrize("store", [(), STORE])
def test_one_server_takes_it_and_all_are_restarted_with_it(new: NewMachines, store: tuple[str, ...]) -> None:
    machines = new(store=store)
    machines.bootstrap()
    renew(machines)
    titles, _ = machines.bootstrap()
    assert titles == [
        "have m1 take the servers' new token",
        *(f"restart {host} with the new token" for host in ("m1", "m2", "m3")),
    ]
    for path in ("etc/rancher/k3s/token", "run/coreops-k3s/token", "var/lib/rancher/k3s/server/token"):
        assert secrets(machines, path) == {NEW}
    assert not (machines.boxes["m1"].root / "run/coreops-k3s/rotate.header").exists()
    assert machines.bootstrap()[0] == []


@pytest.mark.parametrize("number", range(1, 5))
def test_broken_off_after_any_move_the_next_run_goes_on(new: NewMachines, number: int) -> None:
    machines = new()
    machines.bootstrap()
    renew(machines)
    machines.install()
    for _ in range(number):
        step = machines.scheduler.decide(machines.look())
        assert isinstance(step, Move)
        machines._do(step)
    machines.bootstrap()
    assert secrets(machines, "run/coreops-k3s/token") == {NEW}
    assert machines.bootstrap()[0] == []


def test_the_token_of_agents_is_refused_before_k3s_is_started_with_it(new: NewMachines) -> None:
    machines = new()
    machines.bootstrap()
    assert set(machines.scheduler.fixed()) == {rendering.AGENT_TOKEN}
    machines.tokens[rendering.AGENT_TOKEN] = NEW
    with pytest.raises(RefusedError, match="cannot change the token that agents join with") as caught:
        machines.bootstrap()
    assert NEW not in str(caught.value)
    machines.tokens[rendering.AGENT_TOKEN] = "6" * 64
    machines.install()
    assert machines.bootstrap()[0] == []
    # What would come of it
    machines.boxes["m1"].write("etc/rancher/k3s/agent-token", NEW)
    machines._restart("m1", "k3s")
    assert "ActiveState=active" in (machines.boxes["m1"].root / "run/systemd/k3s.service").read_text()
    machines._restart("m1", "k3s")
    assert "newer than datastore" in (machines.boxes["m1"].root / "run/systemd/journal").read_text()


def test_a_server_that_reboots_before_the_cluster_has_the_new_one_comes_back(new: NewMachines) -> None:
    machines = new()
    machines.bootstrap()
    renew(machines)
    machines.install()
    machines._restart("m2", "k3s")
    assert "wait" not in machines.bootstrap()[0][0]
    assert secrets(machines, "run/coreops-k3s/token") == {NEW}


def test_not_while_a_server_is_not_well(new: NewMachines) -> None:
    machines = new()
    machines.bootstrap()
    renew(machines)
    machines.install()
    machines.kube.ready("m3", False)
    step = machines.scheduler.decide(machines.look())
    assert isinstance(step, Move)
    assert (step.title, dict(step.talks)) == ("wait for m3 to be ready", {})


def test_a_new_server_joins_with_the_new_one(new: NewMachines) -> None:
    machines = new()
    machines.bootstrap()
    machines.wipe("m3")
    renew(machines)
    titles, _ = machines.bootstrap()
    assert titles[:3] == [
        "have m1 take the servers' new token",
        "restart m1 with the new token",
        "restart m2 with the new token",
    ]
    assert "let m3 join as a server" in titles
    assert secrets(machines, "run/coreops-k3s/token") == {NEW}


def test_a_second_one_before_the_first_came_into_use(new: NewMachines) -> None:
    machines = new()
    machines.bootstrap()
    renew(machines)
    machines.before = OLD + "\n" + "8" * 64
    machines.bootstrap()
    assert secrets(machines, "run/coreops-k3s/token") == {NEW}


def test_a_token_that_was_never_the_clusters_is_refused(new: NewMachines) -> None:
    machines = new()
    machines.bootstrap()
    machines.before, machines.tokens[rendering.SERVER_TOKEN] = "8" * 64, NEW
    machines.install()
    with pytest.raises(RefusedError, match="another cluster's"):
        machines.scheduler.decide(machines.look())


class Answers(http.server.BaseHTTPRequestHandler):
    """PUT /v1-k3s/token of a server (pkg/server/handlers/token.go), for the user "server"."""

    token: Path
    asked: list[tuple[str, str]]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        user = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        self.asked.append((self.path, body))
        good = user == f"server:{OLD}"
        if good:
            self.token.write_text(f"K10abc::server:{json.loads(body)['newToken']}\n")
        said = b"" if good else b'{"kind":"Status","message":"Unauthorized","code":401}'
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: object) -> None: ...


def test_the_request_is_made_by_curl_and_shows_no_token(tmp_path: Path) -> None:
    made = pki.load(tmp_path / "pki", [Leaf("server", "k3s", ("127.0.0.1",))])
    pki.save(made)
    data, folder = tmp_path / "root/var/lib/rancher/k3s/server", tmp_path / "root/etc/rancher/k3s"
    (data / "tls").mkdir(parents=True)
    folder.mkdir(parents=True)
    shutil.copy(tmp_path / "pki/ca.crt", data / "tls/server-ca.crt")
    (data / "token").write_text(f"K10abc::server:{OLD}\n")
    (folder / "token.wanted").write_text(f"{NEW}\n")
    Answers.token, Answers.asked = data / "token", []
    server = http.server.HTTPServer(("127.0.0.1", 0), Answers)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pki/server.crt", tmp_path / "pki/server.key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/curl").write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/seen\nPATH=${{PATH#*:}} exec curl "$@"\n')
    (tmp_path / "bin/curl").chmod(0o755)

    def rotate() -> subprocess.CompletedProcess[str]:
        port = str(server.server_address[1])
        env = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "ROOT": str(tmp_path / "root"), "PORT": port}
        script = (Path(rendering.__file__).with_name("rotate.sh")).read_text()
        return subprocess.run(["dash", "-c", script], env=env, capture_output=True, text=True, timeout=60, check=False)

    try:
        for _ in range(2):  # the second time there is nothing to ask for
            done = rotate()
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert Answers.asked == [("/v1-k3s/token", json.dumps({"newToken": NEW}, separators=(",", ":")))]
        (data / "token").write_text("K10abc::server:somebody-elses\n")
        refused = rotate()
        assert refused.returncode == 1
        assert "HTTP 401" in refused.stderr
        assert "Unauthorized" in refused.stderr
    finally:
        server.shutdown()
        server.server_close()
    assert list((tmp_path / "root/run/coreops-k3s").iterdir()) == []
    for secret in (OLD, NEW, "somebody-elses"):
        assert secret not in (tmp_path / "seen").read_text() + refused.stderr


def test_k3s_that_has_no_such_command(new: NewMachines) -> None:
    machines = new(k3s_version="v1.28.2+k3s1")
    with pytest.raises(RefusedError, match="cannot change its token") as caught:
        machines.scheduler.renewable()
    assert "v1.28.2+k3s1" in (caught.value.why or "")
    assert "v1.28.3" in (caught.value.next or "")


def test_the_release_comes_first(new: NewMachines) -> None:
    """Servers that are to be newer are restarted as such, and then get the token."""
    machines = new(k3s_version="v1.28.2+k3s1")
    machines.bootstrap()
    machines.want(cluster(ROLES, k3s_version="v1.29.4+k3s1"))
    renew(machines)
    titles, _ = machines.bootstrap()
    turns = [title for title in titles if "token" in title]
    assert turns[0].startswith("have m")
    assert len(turns) == 4
    assert titles.index(turns[0]) > 0
    assert secrets(machines, "run/coreops-k3s/token") == {NEW}
