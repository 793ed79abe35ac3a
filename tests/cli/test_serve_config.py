"""``coreops serve-config`` as a process: rendered by the real command, asked by real clients, killed and restarted."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.cli._group import load

N1, N2 = "52:54:00:00:00:01", "52:54:00:00:00:02"
UUID = "00112233-4455-6677-8899-aabbccddeeff"
INVENTORY = f"""\
all:
  vars:
    node_ssh_keys: ["ssh-ed25519 AAAA a@b"]
    n2_mac: "{N2}"
  hosts:
    n1: {{node_mac: "{N1}", node_uuid: {UUID}, private_ipv4: 127.0.0.1}}
    n2: {{node_mac: ["{{{{ n2_mac }}}}", 52-54-00-00-00-03], node_serial: "SN 2", private_ipv4: 192.0.2.2}}
"""
MAIN = "import sys; from coreops.cli import main; sys.argv[0] = 'coreops'; main()"


class Served:
    """The command in a process of its own."""

    def __init__(self, *argv: str) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "serve-config", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.url = self.process.stdout.readline().strip()
        assert self.url, self.lines

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            with self._news:
                self.lines.append(line)
                self._news.notify_all()

    def get(self, path: str) -> tuple[int, bytes]:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(self.url + path, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def said(self, text: str) -> None:
        """Wait until it says so."""
        with self._news:
            assert self._news.wait_for(lambda: any(text in line for line in self.lines), 60), self.lines

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(120)
        self._reader.join(120)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream
            stream.close()
        return code


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Served]]:
    monkeypatch.chdir(tmp_path)
    Path("hosts.yml").write_text(INVENTORY)
    assert dispatch(["render", "-i", "hosts.yml", "-o", "out"]) == 0
    running: list[Served] = []

    def start(*argv: str) -> Served:
        running.append(Served("out", "-i", "hosts.yml", "--listen", "127.0.0.1:0", *argv))
        return running[-1]

    yield start
    for each in running:
        if each.process.poll() is None:
            each.stop(signal.SIGKILL)


def secret(*nodes: str) -> None:
    """Mark nodes of the render as a render marks those with secrets."""
    path = Path("out/index.json")
    index = json.loads(path.read_text())
    for node in nodes:
        index["nodes"][node]["secrets"] = ["write_files[0].content: private key"]
    path.write_text(json.dumps(index))


def enlarge(node: str) -> None:
    """Make a node's user-data larger than a socket takes at once."""
    path, file = Path("out/index.json"), Path(f"out/{node}.yaml")
    file.write_bytes(file.read_bytes() + b"# a comment\n" * 800_000)
    index = json.loads(path.read_text())
    index["nodes"][node]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    path.write_text(json.dumps(index))


def test_from_inventory_to_machine(serve: Callable[..., Served], capsys: pytest.CaptureFixture[str]) -> None:
    one = serve("--audit-log", "audit.log", "--kernel", "http://192.0.2.5/vmlinuz")
    rendered = Path("out/n2.yaml").read_bytes()
    for name in ("mac=52-54-00-00-00-02", "mac=5254.0000.0003", "serial=sn%202"):
        assert one.get(f"/cloud-config?{name}") == (200, rendered)
    assert b"hostname: n1" in one.get("/uuid/33221100-5544-7766-8899-AABBCCDDEEFF/user-data")[1]
    assert one.get("/user-data?mac=52:54:00:00:00:99")[0] == 404
    assert one.get("/user-data")[0] == 404
    assert b"cloud-config-url=" + one.url.encode() in one.get(f"/ipxe?mac={N1}")[1]
    one.said("unknown machine")
    assert one.stop() == 0
    rows = [json.loads(line) for line in Path("audit.log").read_text().splitlines()]
    assert sorted(row["node"] for row in rows) == ["", "", "n1", "n1", "n2", "n2", "n2"]
    assert {"time", "peer", "selector", "node", "path", "outcome", "bytes", "token"} <= set(rows[0])
    assert Path("audit.log").stat().st_mode & 0o777 == 0o600


def test_tokens(serve: Callable[..., Served], capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["serve-config", "tokens", "out", "--url", "http://cfg"]) == 0
    urls = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert list(urls) == ["n1", "n2"]
    one = serve("--require-token", "--grace", "0")
    path = urls["n1"].removeprefix("http://cfg")
    assert one.get(f"/user-data?mac={N1}")[0] == 403
    assert one.get(path)[1] == Path("out/n1.yaml").read_bytes()
    one.said("served")
    assert one.get(path)[0] == 410
    assert one.stop(signal.SIGTERM) == 0
    # Used stays used, in another server too; a new one works while it runs.
    two = serve("--require-token")
    assert two.get(path)[0] == 410
    assert dispatch(["serve-config", "tokens", "out"]) == 0
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "n1: token " in shown.err
    assert "served to 127.0.0.1 on " in shown.err
    assert dispatch(["serve-config", "tokens", "out", "n1", "--reissue", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    again = made["url"].removeprefix("http://127.0.0.1:8080")
    assert two.get(path)[0] == 404
    assert two.get(again)[0] == 200
    assert two.stop() == 0
    assert dispatch(["serve-config", "tokens", "out", "--list"]) == 0
    listed = capsys.readouterr().out
    assert "served to 127.0.0.1" in listed.splitlines()[0]
    assert "not served yet" in listed.splitlines()[1]
    assert dispatch(["serve-config", "tokens", "out", "--list", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["node"], row["state"], row.get("peer")) for row in rows] == [
        ("n1", "served", "127.0.0.1"),
        ("n2", "open", None),
    ]
    assert rows[0]["issued"].endswith("+00:00")
    assert again.split("/")[2] not in listed + "".join(one.lines + two.lines)


def test_killed_between_request_and_answer(serve: Callable[..., Served]) -> None:
    """What it was about to send, or was sending, belongs to who asked; what it had sent is not sent again."""
    import socket

    enlarge("n2")
    secret("n1", "n2")
    one = serve()
    host, port = one.url.removeprefix("http://").split(":")
    assert one.get(f"/user-data?mac={N1}")[0] == 200
    one.said("n1 GET user-data 200 served,")
    with socket.create_connection((host, int(port)), 20) as connection:
        connection.sendall(f"GET /user-data?mac={N2} HTTP/1.1\r\n\r\n".encode())
        assert connection.recv(100)
        assert one.stop(signal.SIGKILL) == -signal.SIGKILL
    two = serve()
    assert two.get(f"/user-data?mac={N1}")[0] == 410
    with socket.create_connection(
        (two.url.removeprefix("http://").split(":")[0], int(two.url.rsplit(":", 1)[1])), 20, ("127.0.0.2", 0)
    ) as other:
        other.sendall(f"GET /user-data?mac={N2} HTTP/1.1\r\n\r\n".encode())
        assert other.recv(100).startswith(b"HTTP/1.1 410 ")
    status, body = two.get(f"/user-data?mac={N2}")
    assert (status, body) == (200, Path("out/n2.yaml").read_bytes())
    two.said("n2 GET user-data 200 served,")
    assert two.get(f"/user-data?mac={N2}")[0] == 410
    assert two.stop() == 0


@pytest.mark.slow
def test_a_new_render_and_a_hangup(serve: Callable[..., Served]) -> None:
    one = serve("--audit-log", "audit.log")
    Path("hosts.yml").write_text(INVENTORY.replace("SN 2", "SN 3").replace("AAAA", "BBBB"))
    assert dispatch(["render", "-i", "hosts.yml", "-o", "out"]) == 0
    one.said("read again: 2 nodes of coreos")
    assert b"BBBB" in one.get("/user-data?serial=SN%203")[1]
    Path("audit.log").rename("audit.1")
    Path("hosts.yml").write_text(INVENTORY.replace(N1, "52:54:00:00:00:03"))
    one.process.send_signal(signal.SIGHUP)
    one.said("n1 and n2 have the same mac")
    one.said("what was served before is served on")
    Path("hosts.yml").write_text(INVENTORY.replace(N1, "52:54:00:00:00:0a"))
    one.lines.clear()
    one.process.send_signal(signal.SIGHUP)
    one.said("read again")
    assert one.get("/user-data?mac=52540000000a")[0] == 200
    assert one.stop() == 0
    assert [len(Path(name).read_text().splitlines()) for name in ("audit.1", "audit.log")] == [1, 1]


def test_by_ip(serve: Callable[..., Served]) -> None:
    one = serve("--by-ip")
    assert b"hostname: n1" in one.get("/user-data")[1]
    assert one.stop() == 0


def test_a_machine_that_says_what_nobody_may_write(
    serve: Callable[..., Served], capsys: pytest.CaptureFixture[str]
) -> None:
    for old, new, said in (
        (f'"{N1}"', "52:54:00:10:20:30", ["the mac of n1", "hosts.yml:6:10", "quote it"]),
        (f'"{N1}"', "[52:54]", ["must be text", "quote it"]),
        (N2, N1, ["n1 and n2 have the same mac", "hosts.yml:6:10", "hosts.yml:7:10"]),
        ('"SN 2"', "Default string", ["placeholder"]),
        ("n2_mac:", "n3_mac:", ["'n2_mac' is not defined"]),
        ("private_ipv4: 192.0.2.2", "private_ipv4: 127.0.0.1", ["n1 and n2 have the same ip: 127.0.0.1"]),
    ):
        Path("hosts.yml").write_text(INVENTORY.replace(old, new))
        assert dispatch(["serve-config", "out", "-i", "hosts.yml", "--by-ip", "--listen", "127.0.0.1:0"]) == 2
        shown = capsys.readouterr().err
        assert [part for part in said if part not in shown] == [], shown


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (["none"], 2, "there is no render here"),
        (["hosts.yml"], 2, "there is no render here"),
        (["out", "--listen", "nowhere"], 2, "--listen cannot be 'nowhere'"),
        (["out", "--listen", "192.0.2.77:8080"], 2, "this machine does not have that address"),
        (["out", "--cert", "web.pem"], 2, "--cert and --key go together"),
        (["out", "--cert", "web.pem", "--key", "web.key"], 2, "web.pem: cannot read the file"),
        (["out", "--initrd", "http://x/y"], 2, "go with --kernel"),
        (["out", "--kernel", "http://x/a b"], 2, "iPXE cannot take a URL"),
        (["out", "--url", "http://a b"], 2, "--url cannot be"),
        (["out", "--grace", "-1"], 2, "--grace"),
        (["out", "--state", "hosts.yml/x"], 2, "cannot be kept"),
        (["out", "--audit-log", "none/audit.log"], 2, "cannot write the audit log"),
        (["out", "-i", "none.yml"], 2, "none.yml"),
        (["tokens", "out", "n3"], 2, "nodes of this render: n1, n2"),
        (["tokens", "out", "--reissue"], 2, "takes the names of nodes"),
        (["tokens", "out", "--url", "ftp://x"], 2, "--url cannot be"),
        (["tokens", "none"], 2, "there is no render here"),
    ],
)
def test_bad_usage(
    serve: Callable[..., Served], argv: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more = [] if "-i" in argv or argv[0] == "tokens" else ["-i", "hosts.yml"]
    assert dispatch(["serve-config", *argv, *more]) == code
    assert said in capsys.readouterr().err


def test_a_port_in_use_and_secrets_in_the_clear(
    serve: Callable[..., Served], capsys: pytest.CaptureFixture[str]
) -> None:
    one = serve()
    assert dispatch(["serve-config", "out", "-i", "hosts.yml", "--listen", one.url.removeprefix("http://")]) == 2
    assert "another program listens there" in capsys.readouterr().err
    secret("n2")
    assert dispatch(["serve-config", "out", "-i", "hosts.yml", "--listen", "192.0.2.77:0"]) == 4
    assert "--insecure-http" in capsys.readouterr().err
    assert dispatch(["serve-config", "out", "-i", "hosts.yml", "--listen", "192.0.2.77:0", "--insecure-http"]) == 2
    assert "warning: plain HTTP on 192.0.2.77:0" in capsys.readouterr().err


def test_a_secret_that_was_rendered_is_served_once(serve: Callable[..., Served]) -> None:
    key = "-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----\\n"
    text = INVENTORY.replace(
        "node_serial", f'node: {{write_files: [{{path: /etc/x.key, content: "{key}"}}]}}, node_serial'
    )
    Path("hosts.yml").write_text(text)
    assert (
        dispatch(["render", "-i", "hosts.yml", "-o", "out", "-t", "ignition", "--allow-loss", "--allow-secrets"]) == 0
    )
    one = serve()
    assert "PRIVATE" in one.get(f"/ignition?mac={N2}")[1].decode()
    one.said("n2 GET ignition 200 served,")
    assert one.get(f"/ignition?mac={N2}")[0] == 410
    assert one.get(f"/ignition?mac={N1}")[0] == one.get(f"/ignition?mac={N1}")[0] == 200
    assert one.get(f"/cloud-config?mac={N1}")[0] == 404
    assert one.stop() == 0
    assert "PRIVATE" not in "".join(one.lines)


def test_butane_is_for_people(serve: Callable[..., Served], capsys: pytest.CaptureFixture[str]) -> None:
    path = Path("out/index.json")
    path.write_text(path.read_text().replace('"coreos"', '"butane"'))
    assert dispatch(["serve-config", "out", "-i", "hosts.yml"]) == 2
    assert "machines do not read butane" in capsys.readouterr().err


def test_help_shows_both_forms(capsys: pytest.CaptureFixture[str]) -> None:
    assert dispatch(["serve-config", "--help"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "coreops serve-config out -i inventories/prod --listen" in out
    assert "tokens" in out
    assert dispatch(["serve-config", "out", "--help"]) == 0
    assert "--require-token" in capsys.readouterr().out
    assert load("serve-config").name == "serve-config"
    assert os.environ.get("COREOPS_DEBUG") is None
