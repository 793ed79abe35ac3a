"""The whole of ``coreops adopt`` against a real sshd; the machine behind it is this one."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from coreops.inventory import load_inventory, target
from tests.support.sshd import Sshd

Adopt = Callable[..., subprocess.CompletedProcess[str]]
MAIN = "import sys; from coreops.cli import main; sys.argv[0] = 'coreops'; main()"
pytestmark = pytest.mark.slow


def fingerprint(sshd: Sshd) -> str:
    said = subprocess.run(
        ["ssh-keygen", "-lf", str(sshd.host_key.with_suffix(".pub"))], capture_output=True, text=True, check=True
    )
    return said.stdout.split()[1]


@pytest.fixture
def folder(tmp_path: Path, sshd: Sshd) -> Path:
    made = tmp_path / "prod"
    made.mkdir()
    (made / "hosts.yml").write_text(
        f"# mine\nall:\n  vars: {{ansible_user: {sshd.user}, ansible_ssh_private_key_file: {sshd.key}}}\n"
        "  children:\n    worker:\n      hosts:\n        n1: {ansible_host: 192.0.2.1}\n        n2:\n"
    )
    return made


@pytest.fixture
def adopt(folder: Path, tmp_path: Path) -> Adopt:
    (tmp_path / "home").mkdir()

    def run(*words: str, stdin: int = subprocess.DEVNULL) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", MAIN, "adopt", "-i", str(folder), *words]
        env = {**os.environ, "HOME": str(tmp_path / "home"), "XDG_STATE_HOME": str(tmp_path / "state")}
        return subprocess.run(argv, capture_output=True, text=True, env=env, timeout=60, stdin=stdin)

    return run


def files(folder: Path) -> dict[str, str]:
    return {str(each.relative_to(folder)): each.read_text() for each in folder.rglob("*") if each.is_file()}


def test_nothing_is_believed_blindly(folder: Path, adopt: Adopt, sshd: Sshd) -> None:
    before = files(folder)
    done = adopt(f"n9=127.0.0.1:{sshd.port}")
    assert done.returncode == 4
    assert f"--yes {fingerprint(sshd)}" in done.stderr
    done = adopt(f"n9=127.0.0.1:{sshd.port}", "--yes", "SHA256:" + "A" * 43)
    assert done.returncode == 4
    assert "no --yes has its fingerprint" in done.stderr
    assert files(folder) == before


def test_a_new_host_and_then_it_is_known(folder: Path, adopt: Adopt, sshd: Sshd) -> None:
    before = files(folder)
    where = f"n9=127.0.0.1:{sshd.port}"
    done = adopt(where, "--group", "worker", "--check", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"], told["fingerprint"]) == (0, "would be adopted", fingerprint(sshd))
    done = adopt(where, "--group", "worker", "--yes", fingerprint(sshd))
    assert (done.returncode, done.stdout.split()) == (0, ["adopted", "n9", f"127.0.0.1:{sshd.port}"]), done.stderr
    assert "seen for the first time" in done.stderr
    assert files(folder).items() >= before.items()
    loaded = load_inventory(folder)
    assert loaded.members("worker") == ("n9", "n1", "n2")
    assert target(loaded, "n9").port == sshd.port
    assert sshd.line() in files(folder)["known_hosts"]
    again = adopt(where)
    assert (again.returncode, again.stdout.split()[0]) == (0, "known"), again.stderr


@pytest.mark.parametrize("transport", ["paramiko", "openssh"])
def test_by_each_transport_and_with_a_key_that_is_named(folder: Path, adopt: Adopt, sshd: Sshd, transport: str) -> None:
    (folder / "hosts.yml").write_text("all: {hosts: {n1: {ansible_host: 192.0.2.1}}}\n")
    own = (f"n9=127.0.0.1:{sshd.port}", "--private-key", str(sshd.key), "-u", sshd.user, "--transport", transport)
    done = adopt(*own, "--check")
    assert (done.returncode, "seen for the first time" in done.stdout) == (0, True), done.stderr
    assert set(files(folder)) == {"hosts.yml"}
    assert adopt(*own, "--yes", fingerprint(sshd)).returncode == 0
    assert adopt(*own).stdout.split()[0] == "known"


def test_one_that_the_inventory_names(folder: Path, adopt: Adopt, sshd: Sshd) -> None:
    done = adopt(f"n2=127.0.0.1:{sshd.port}", "--yes", fingerprint(sshd))
    assert done.returncode == 0, done.stderr
    assert not (folder / "adopted").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [("n1=", "n1 is not at 127.0.0.1 by the inventory"), ("worker=", "a group of the inventory is called so")],
)
def test_what_a_machine_cannot_be(adopt: Adopt, sshd: Sshd, name: str, said: str) -> None:
    done = adopt(f"{name}127.0.0.1:{sshd.port}", "--yes", fingerprint(sshd))
    assert done.returncode == 4
    assert said in done.stderr


def test_two_names_for_one_machine(folder: Path, adopt: Adopt, sshd: Sshd, new_sshd: Callable[..., Sshd]) -> None:
    other = new_sshd(key=sshd.key)
    done = adopt(f"a=127.0.0.1:{sshd.port}", f"b=127.0.0.1:{other.port}", "--yes", fingerprint(sshd))
    assert done.returncode == 4
    assert "have the same machine-id" in done.stderr
    assert not (folder / "adopted").exists()


def test_another_machine_at_a_known_address(folder: Path, adopt: Adopt, sshd: Sshd) -> None:
    other = sshd.line().split()
    key = other[2][:-4] + ("AAAA" if not other[2].endswith("AAAA") else "BBBB")
    (folder / "known_hosts").write_text(f"{other[0]} {other[1]} {key}\n")
    done = adopt(f"n9=127.0.0.1:{sshd.port}", "--yes", fingerprint(sshd))
    assert done.returncode == 3
    assert "host key has changed" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "no machine is named"),
        (("-oProxyCommand=x",), ""),
        (("$(id)",), "is not where a machine is"),
        (("192.0.2.1", "--group", "workr"), "did you mean"),
    ],
)
def test_bad_input(adopt: Adopt, words: tuple[str, ...], said: str) -> None:
    done = adopt(*words)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_it_asks(folder: Path, adopt: Adopt, sshd: Sshd) -> None:
    for typed, code in (("yes\n", 4), ("\n", 4), (fingerprint(sshd)[7:15] + "\n", 0)):
        ours, theirs = pty.openpty()
        os.write(ours, typed.encode())
        done = adopt(f"n9=127.0.0.1:{sshd.port}", stdin=theirs)
        os.close(ours)
        os.close(theirs)
        assert done.returncode == code, done.stderr
        assert (folder / "adopted" / "n9.yml").exists() == (code == 0)
