"""``coreops discovery`` as a process and as commands."""

from __future__ import annotations

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch
from coreops.discovery.ledger import Ledger
from tests.delivery.serving.test_tls import pair
from tests.discovery.conftest import shipped_etcd as shipped_etcd
from tests.discovery.endpoint import QUERY, Etcds, ask, wait_for
from tests.store.conftest import etcd_bin as etcd_bin

MAIN = "import sys; from coreops.cli import main; sys.argv[0] = 'coreops'; main()"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


class Served:
    """The command in a process of its own."""

    def __init__(self, *argv: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", MAIN, "discovery", "serve", *argv],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self.process.stdout
        self.url = self.process.stdout.readline().strip()
        assert self.url, self.lines

    def _read(self) -> None:
        assert self.process.stderr
        self.lines.extend(self.process.stderr)

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
def serve() -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def start(*argv: str) -> Served:
        made.append(Served(*argv))
        return made[-1]

    yield start
    for each in made:
        if each.process.poll() is None:
            each.stop(signal.SIGKILL)


def test_new_show_list(capsys: Capture) -> None:
    assert dispatch(["discovery", "new", "prod", "--url", "https://d.example:8443/"]) == 0
    url = capsys.readouterr().out.strip()
    assert url.startswith("https://d.example:8443/")
    token = url.rpartition("/")[2]
    with Ledger(Path("discovery.db")) as ledger:
        for number in range(1, 5):
            value = f"n{number}=http://192.0.2.{number}:2380"
            ledger.register(token, f"a{number}", value, f"192.0.2.{number}")
        ledger.new(1, "http://x")
    assert dispatch(["discovery", "show", "prod"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"{url}\n")
    assert "3 of 3  complete, 1 refused" in text
    assert "refused n4, last from 192.0.2.4" in text
    assert dispatch(["discovery", "show", url, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["url"], found["complete"], found["members"][0]["urls"]) == (url, True, ["http://192.0.2.1:2380"])
    assert dispatch(["discovery", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len(listed) == 2
    assert token not in "".join(listed)
    assert dispatch(["discovery", "list", "--json"]) == 0
    assert [json.loads(line)["size"] for line in capsys.readouterr().out.splitlines()] == [3, 1]


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["new", "prod", "--size", "4"], "3 or 5; --even makes it all the same"),
        (["new", "prod", "--size", "0"], "1 to 9"),
        (["new", "-", "--size", "3"], "cannot be called"),
        (["new", "a b"], "cannot be called"),
        (["new", "prod", "--url", "nowhere"], "--url cannot be"),
        (["new", "prod", "--replaces", "1f2e3d4c"], "does not have the token"),
        (["show", "prod"], "there is no ledger"),
        (["list"], "there is no ledger"),
        (["serve", "--listen", "nowhere"], "--listen cannot be"),
        (["serve", "--listen", "192.0.2.1:0"], "does not have that address"),
        (["serve", "--cert", "x"], "go together"),
        (["serve", "--ledger", "/proc/self/x"], "the ledger cannot be used"),
        (["serve", "--audit-log", "no/such/folder"], "cannot write the audit log"),
    ],
)
def test_bad_input(argv: list[str], says: str, capsys: Capture) -> None:
    assert dispatch(["discovery", *argv]) == 2
    assert says in capsys.readouterr().err


def test_names_that_are_nearly_right(capsys: Capture) -> None:
    assert dispatch(["discovery", "new", "prod", "--even", "--size", "2"]) == 0
    assert dispatch(["discovery", "show", "prd"]) == 2
    assert "did you mean 'prod'?" in capsys.readouterr().err


def test_a_cluster_that_lives_keeps_its_token(capsys: Capture) -> None:
    assert dispatch(["discovery", "new", "prod", "--size", "1"]) == 0
    token = capsys.readouterr().out.strip().rpartition("/")[2]
    with socket.create_server(("127.0.0.1", 0)) as member:
        with Ledger(Path("discovery.db")) as ledger:
            ledger.register(token, "a1", f"n1=http://127.0.0.1:{member.getsockname()[1]}", "127.0.0.1")
            short = ledger.all()[0].id
        assert dispatch(["discovery", "new", "prod"]) == 4
        assert f"--replaces {short}" in capsys.readouterr().err
        assert dispatch(["discovery", "new", "prod", "--replaces", short]) == 4
        assert "prod lives: its token is not replaced" in capsys.readouterr().err
    assert dispatch(["discovery", "new", "prod", "--replaces", short]) == 0
    assert token not in capsys.readouterr().out
    assert dispatch(["discovery", "new", "prod", "--replaces", short]) == 2
    assert dispatch(["discovery", "show", short]) == 0
    assert "replaced on" in capsys.readouterr().out


def test_what_was_registered_survives_kill_9(serve: Callable[..., Served], capsys: Capture) -> None:
    first = serve("--listen", "127.0.0.1:0")
    path = ask(first.url, "GET", "/new?size=3").body.decode().removeprefix(first.url)
    for number in (1, 2):
        member = f"n{number}=http://127.0.0.1:200{number}"
        assert ask(first.url, "PUT", f"{path}/a{number}?prevExist=false", member).status == 201
    assert first.stop(signal.SIGKILL) == -signal.SIGKILL
    second = serve("--listen", "127.0.0.1:0", "--audit-log", "audit.log")
    assert len(ask(second.url, "GET", f"{path}?{QUERY}").json["node"]["nodes"]) == 2
    second.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "read again\n" in second.lines)
    assert second.stop() == 0
    assert second.lines[0] == "serving 1 token of discovery.db; Ctrl-C ends it\n"
    assert Path("audit.log").stat().st_mode & 0o777 == 0o600


@pytest.mark.slow
def test_over_tls_to_a_real_etcd(
    serve: Callable[..., Served], tmp_path: Path, shipped_etcd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = pair(tmp_path, "web")
    one = serve("--listen", "127.0.0.1:0", "--cert", str(cert), "--key", str(key))
    assert one.url.startswith("https://127.0.0.1:")
    trust = ssl.create_default_context(cafile=str(cert))
    handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust))
    with urllib.request.build_opener(*handlers).open(f"{one.url}/new?size=1", timeout=20) as answer:
        url = answer.read().decode()
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    nodes = Etcds(shipped_etcd, tmp_path)
    try:
        nodes.start("n1", url)
        wait_for(lambda: nodes.healthy("n1"))
    finally:
        nodes.close()


def test_help_knows_its_subcommands(capsys: Capture) -> None:
    assert dispatch(["discovery", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(word in text for word in ("serve", "new", "show", "list"))
