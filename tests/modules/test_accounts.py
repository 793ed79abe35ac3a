"""user and group in a mount namespace of their own, where /etc is a copy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.model import ShellStep
from coreops.modules import registry
from coreops.modules.arguments import parse
from tests.modules.harness import HERE, steps_of

HASH = "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g."

# Mounts a folder as /etc, then plays the steps: (probe, act, env) -> [probe before, act, probe after].
PLAY = """
import json, os, subprocess, sys
base, shell, steps = sys.argv[1], sys.argv[2].split(), json.load(sys.stdin)
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
subprocess.run(["mount", "--bind", base, "/etc"], check=True)
out = []
for probe, act, env in steps:
    said = []
    for text in (probe, act, probe):
        words, env_ = [*shell, "-c", text], {**os.environ, **env}
        done = subprocess.run(words, env=env_, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        said.append([done.returncode, done.stderr])
    out.append(said)
print(json.dumps([out, open("/etc/passwd").read(), open("/etc/group").read(), open("/etc/shadow").read()]))
"""

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("useradd") or not shutil.which("unshare"), reason="needs root and useradd"
)


@pytest.fixture(params=["dash", "bash --posix", "busybox sh"])
def shell(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def play(
    tmp_path: Path, shell: str, *tasks: tuple[str, dict[str, object]]
) -> tuple[list[list[list[object]]], str, str, str]:
    etc = tmp_path / "etc"
    etc.mkdir()
    (etc / "passwd").write_text("root:x:0:0:root:/root:/bin/bash\n")
    (etc / "group").write_text("root:x:0:\nusers:x:100:\nwheel:x:10:\n")
    (etc / "shadow").write_text("root:*:19000:0:99999:7:::\n")
    (etc / "gshadow").write_text("root:*::\nusers:*::\nwheel:*::\n")
    (etc / "shells").write_text("/bin/bash\n")
    for name in (
        "login.defs",
        "nsswitch.conf",
        "ld.so.cache",
        "pam.d",
        "default",
        "skel",
        "security",
        "pam.conf",
        "alternatives",
    ):
        source = Path("/etc") / name
        if source.is_dir():
            shutil.copytree(source, etc / name, symlinks=True)
        elif source.exists():
            shutil.copy(source, etc / name)
    steps = []
    for name, raw in tasks:
        for step in steps_of(name, raw):
            assert isinstance(step, ShellStep)
            steps.append((step.probe, step.act, dict(step.env)))
    done = subprocess.run(
        ["unshare", "-m", sys.executable, "-c", PLAY, str(etc), shell],
        input=json.dumps(steps),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    out, passwd, group, shadow = json.loads(done.stdout)
    return out, passwd, group, shadow


def settled(said: list[list[list[object]]]) -> None:
    for before, act, after in said:
        assert before[0] == 1, before
        assert act[0] == 0, act
        assert after == [0, ""], after


@pytest.mark.slow
@needs_root
def test_make_change_and_remove(shell: str, tmp_path: Path) -> None:
    home = str(tmp_path / "home of app")
    said, passwd, group, shadow = play(
        tmp_path,
        shell,
        ("group", {"name": "app", "system": True}),
        ("group", {"name": "extra", "gid": 4242}),
        (
            "user",
            {
                "name": "app",
                "group": "app",
                "groups": "extra,wheel",
                "comment": "it's $(an) app",
                "home": home,
                "shell": "/sbin/nologin",
                "system": True,
                "password": HASH,
            },
        ),
        ("user", {"name": "app", "groups": ["users"], "append": True, "comment": "new"}),
        ("user", {"name": "app", "groups": ["users"], "uid": 4343, "password_lock": True}),
        ("user", {"name": "gone", "create_home": False}),
        ("user", {"name": "gone", "state": "absent", "remove": True}),
        ("group", {"name": "extra", "gid": 4244}),
        ("group", {"name": "wheel", "state": "absent"}),
    )
    settled(said)
    assert "app:x:4343:" in passwd
    assert f":new:{home}:/sbin/nologin\n" in passwd
    assert "gone" not in passwd
    assert "users:x:100:app\n" in group
    assert "extra:x:4244:\n" in group
    assert "wheel" not in group
    assert f"app:!{HASH}:" in shadow
    assert Path(home).is_dir()


@needs_root
def test_password_only_for_a_new_account(tmp_path: Path) -> None:
    raw = {"name": "app", "password": HASH, "update_password": "on_create", "create_home": False}
    said, _, _, shadow = play(tmp_path, "dash", ("user", raw), ("user", {**raw, "password": "*"}))
    settled(said[:1])
    assert said[1][0] == [0, ""]
    assert f"app:{HASH}:" in shadow


def test_a_password_is_never_in_a_script() -> None:
    (step,) = steps_of("user", {"name": "app", "password": HASH})
    assert isinstance(step, ShellStep)
    assert HASH not in f"{step.probe}{step.act}{step.title}"
    assert step.env == {"coreops_password": HASH}
    args = parse(registry.get("user"), {"name": "app", "password": HASH}, HERE)
    assert HASH not in repr(args)


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("user", {"name": "a b"}, "not a name"),
        ("user", {"name": "-x"}, "not a name"),
        ("user", {"name": "x", "password": "secret"}, "no hash"),
        ("user", {"name": "x", "comment": "a:b"}, "colon"),
        ("user", {"name": "x", "groups": "a b"}, "not a name"),
        ("group", {"name": "x", "gid": -1}, "gid"),
        ("group", {}, "needs the argument 'name'"),
    ],
)
def test_bad_arguments(name: str, raw: dict[str, object], says: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(registry.get(name), raw, HERE)
    assert says in str(caught.value)
    assert "secret" not in str(caught.value)
