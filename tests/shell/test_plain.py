from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from coreops.model import ShellStep
from coreops.shell.plain import is_plain
from tests.support.shells import EACH_SHELL, run_steps

shells = pytest.mark.parametrize("shell", EACH_SHELL)


@pytest.mark.parametrize("script", ["uname -n", "/bin/ls", "./run --now", "etcdctl get a=b -w=json", "apt:x @y %z +q"])
def test_plain(script):
    assert is_plain(script)


NOT_PLAIN = """\
# |-x|ls >f|ls &|#ls|ls #x|ls é|cd /tmp|if|.|:|[ -e x|exit 3|time x|%1|+x|ls a{b,c}|ls [a]|ls `x`|ls \\x|ls\tx|ls ;x|
ls *|ls ~|a=1 b|a=1|$x|'ls'|{ ls|!| ls|ls |ls  x"""


@pytest.mark.parametrize("script", ["", "ls\n", "ls\nrm x", "ls|cat", *NOT_PLAIN.split("|")])
def test_not_plain(script):
    assert not is_plain(script)


def test_what_a_shell_does_itself_is_not_plain():
    """Asks bash and busybox for their words; dash has no list."""
    listed = subprocess.run(["bash", "-c", "compgen -b; compgen -k"], capture_output=True, text=True, check=True)
    words = listed.stdout.split()
    if shutil.which("busybox"):
        helped = subprocess.run(["busybox", "sh", "-c", "help"], capture_output=True, text=True, check=True)
        words += re.findall(r"\S+", helped.stdout.partition("\n---")[2])[1:]
    assert [word for word in words if is_plain(word)] == []


def run(shell, act, **fields):
    program, _ = run_steps([ShellStep(id="1", title="t", act=act, **fields)], shell)
    return program.records["1"]


@shells
@pytest.mark.parametrize("act", ["nosuch-program --x", "/etc/passwd", "sh -x", "ls /nosuch", "cat", "pwd -P", "id -u"])
def test_plain_words_end_as_in_a_shell(shell, act):
    plain, quoted = run(shell, act, cwd="/usr"), run(shell, f"{act} ", cwd="/usr")
    assert (plain.state, plain.rc, plain.stdout) == (quoted.state, quoted.rc, quoted.stdout)
    assert bool(plain.stderr) == bool(quoted.stderr)


@shells
def test_plain_words_see_no_functions_no_variables_of_ours(shell):
    names = {line.split(b"=")[0] for line in run(shell, "env").stdout.splitlines()}
    assert not {name for name in names if name.startswith(b"co_")}
    assert run(shell, "co_mark x").rc == 127


@shells
def test_plain_words_keep_to_folder_and_deadline(shell, tmp_path):
    folder = tmp_path / "a b$(x)'"
    folder.mkdir()
    assert run(shell, "env pwd", cwd=str(folder)).stdout.decode() == f"{folder}\n"
    assert run(shell, "ls", cwd="/nosuch").rc == 2
    assert run(shell, "tail -f /dev/null", timeout=0.1).state == "failed"
