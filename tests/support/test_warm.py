"""A command that the server forks is as one that was started by itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import warm

SAY = """
import os, sys
print(sys.argv[1:], os.getcwd(), os.environ.get("X"), sys.stdin.read() == "")
print("bad", file=sys.stderr)
sys.exit(3)
"""


def python(code: str, *words: str) -> list[str]:
    return [sys.executable, "-c", code, *words]


def test_words_folder_environment_streams_and_end(tmp_path: Path) -> None:
    done = warm.run(python(SAY, "a b", "$x"), cwd=tmp_path, env={"X": "y"}, timeout=60)
    assert (done.returncode, done.stderr) == (3, "bad\n")
    assert done.stdout == f"['a b', '$x'] {tmp_path} y True\n"


def test_coreops_runs_and_each_begins_anew() -> None:
    for _ in range(2):
        assert warm.run(python(warm.MAIN, "--version"), timeout=60).stdout.startswith("coreops ")
    assert warm.run(python(warm.MAIN, "no-such-command"), timeout=60).returncode == 2


def test_an_exception_is_told() -> None:
    done = warm.run(python("raise ValueError(7)"), timeout=60)
    assert done.returncode == 1
    assert "ValueError: 7" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_signals_reach_it_alone(number: signal.Signals) -> None:
    one, other = (warm.start(python("import time; print('up', flush=True); time.sleep(60)")) for _ in range(2))
    for each in (one, other):
        assert each.stdout.readline() == "up\n"
    one.send_signal(number)
    assert one.wait(60) == -number
    assert other.poll() is None
    other.kill()
    assert other.communicate(60) == ("", "")
    one.communicate(60)
    assert other.returncode == -signal.SIGKILL


def test_an_interrupt_is_one() -> None:
    code = (
        "import time\ntry:\n print('up', flush=True)\n time.sleep(60)\nexcept KeyboardInterrupt: print('interrupted')"
    )
    process = warm.start(python(code))
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.communicate(60)[0] == "interrupted\n"


def test_what_takes_too_long_is_killed(tmp_path: Path) -> None:
    code = f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    with pytest.raises(subprocess.TimeoutExpired):
        warm.run(python(code), timeout=2)
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()


def test_it_is_waited_for_again(tmp_path: Path) -> None:
    (tmp_path / "go").touch()
    code = "import os, time\nprint('a', flush=True)\nwhile os.path.exists('go'): time.sleep(0.05)\nprint('b')"
    process = warm.start(python(code), cwd=tmp_path)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(0.2)
    (tmp_path / "go").unlink()
    assert process.communicate(60) == ("a\nb\n", "")


def test_it_has_no_file_but_its_own() -> None:
    done = warm.run(python("import os; print(sorted(os.listdir('/proc/self/fd'))[:4])"), timeout=60)
    assert done.stdout == "['0', '1', '2', '3']\n"  # 3: the folder
    assert os.getpid() > 1
