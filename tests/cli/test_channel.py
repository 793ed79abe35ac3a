"""``coreops channel``: what it prints and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coreops.cli._dispatch import dispatch


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COREOPS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("COREOPS_CHANNEL", raising=False)
    (tmp_path / "usr.img").write_bytes(os.urandom(5000))
    return tmp_path


def run(*words: str) -> int:
    return dispatch(["channel", *words])


def test_the_whole_way(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init") == 0
    out = capsys.readouterr().out
    assert "channel/metadata/1.root.json" in out
    assert "SHA-256" in out
    assert run("show") == 0
    assert capsys.readouterr().out == "nothing was published yet\n"
    assert run("publish", "usr.img", "--version", "1.0.0", "--channel", "alpha", "--min-from", "0.9", "--barrier") == 0
    assert "1.0.0 for amd64-usr is in alpha" in capsys.readouterr().out
    assert run("promote", "1.0.0", "--to", "stable") == 0
    assert capsys.readouterr().out == "stable for amd64-usr: nothing -> 1.0.0\n"
    assert run("show") == 0
    assert "alpha,stable" in (out := capsys.readouterr().out)
    assert "from 0.9; barrier" in out
    assert run("verify") == 0
    assert "1 release, 0.0 MiB: good" in capsys.readouterr().out
    assert run("refresh", "--days", "3") == 0
    assert run("rotate", "timestamp") == 0
    assert "2.root.json" in capsys.readouterr().out
    assert run("show", "--root", "channel/metadata/1.root.json") == 0


def test_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", "--json") == 0
    assert set(json.loads(capsys.readouterr().out)) == {"root", "sha256", "keys"}
    assert run("publish", "usr.img", "--version", "1.0.0", "--channel", "alpha", "--json") == 0
    assert json.loads(capsys.readouterr().out)["codec"] == "none"
    assert run("promote", "1.0.0", "--to", "beta", "--json") == 0
    assert json.loads(capsys.readouterr().out)["before"] == {"amd64-usr": ""}
    assert run("show", "--json") == 0
    assert json.loads(capsys.readouterr().out)["channels"] == {"amd64-usr": {"alpha": "1.0.0", "beta": "1.0.0"}}
    for words in (("refresh", "--json"), ("rotate", "--json"), ("verify", "--json")):
        assert run(*words) == 0
        json.loads(capsys.readouterr().out)


def test_a_bad_image_ends_with_4(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("init")
    run("publish", "usr.img", "--version", "1.0.0", "--channel", "alpha")
    (image,) = here.glob("channel/targets/*/*.usr")
    image.write_bytes(b"x")
    assert run("verify") == 4
    assert "1 wrong" in capsys.readouterr().out
    (here / "channel" / "metadata" / "timestamp.json").write_text("{}")
    assert run("verify") == 4


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("show",), "there is no channel repository"),
        (("verify", "http://127.0.0.1:1/"), "no root of trust is pinned"),
        (("publish", "usr.img", "--version", "1.0.0", "--channel", "alpha"), "there is no channel repository"),
        (("publish", "usr.img", "--version", "1.0.0", "--channel", "a", "--codec", "gzp"), "did you mean 'gzip'?"),
        (("publish", "nothing", "--version", "1.0.0", "--channel", "alpha"), "cannot be read"),
        (("promote", "1.0.0", "--to", "stable"), "there is no channel repository"),
        (("serve",), "there is no channel repository"),
        (("init", "--keys", "channel/keys"), "must not lie in the repository"),
    ],
)
def test_bad_input_ends_with_2(
    here: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], says: str
) -> None:
    assert run(*words) == 2
    assert says in capsys.readouterr().err
    assert sorted(path.name for path in here.iterdir()) in (["usr.img"], ["cache", "usr.img"])


def test_serve_until_interrupted(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("init")
    capsys.readouterr()
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import coreops.cli as cli; cli.main()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, "channel", "serve", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        assert run("show", url, "--root", "channel.keys/root.json") == 0
        server.send_signal(signal.SIGINT)
        assert server.wait(120) == 0


def test_other_commands_do_not_pay_for_tuf() -> None:
    code = (
        "import sys; from coreops.cli._group import load; load('channel'); load('exec');"
        "import coreops.upgrade.channel.reader, coreops.upgrade.version; print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"tuf", "securesystemslib", "httpx", "urllib3"} & set(done.stdout.split())


@pytest.mark.parametrize("place", ["usr.img", "usr.img/sub", "/proc/nowhere/x", "/"])
def test_where_no_repository_can_be(here: Path, place: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init", place) == 2
    assert "bug" not in capsys.readouterr().err


@pytest.mark.parametrize("place", ["", ".", "..", "../work"])
def test_folders_without_a_name_of_their_own(here: Path, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "work" / "sub").mkdir(parents=True)
    monkeypatch.chdir(here / "work" / ("sub" if place == ".." else ""))
    assert run("init", place) == 0
    assert (here / "work.keys" / "root.json").is_file()


def test_a_root_that_is_none_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("init") == 0
    assert run("show", "--root", "usr.img") == 2
    assert "usr.img: the pinned root is not the root" in capsys.readouterr().err
