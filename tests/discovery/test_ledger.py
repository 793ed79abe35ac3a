"""The ledger: what it keeps, also when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from coreops.discovery.ledger import Ledger
from coreops.errors import CoreopsError, InputError, RefusedError

URL = "http://127.0.0.1:8087"
WRITER = """
import sys
from pathlib import Path
from coreops.discovery.ledger import Ledger
with Ledger(Path(sys.argv[1])) as ledger:
    for number in range(100000):
        token = ledger.new(9, "http://x")
        print(token.token, flush=True)
        ledger.register(token.token, "a1", "n1=http://192.0.2.1:2380", "192.0.2.1")
        print("registered", token.token, flush=True)
"""


def test_a_cluster_has_one_token(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        first = ledger.new(3, URL, "prod")
        with pytest.raises(RefusedError, match="prod has a token") as caught:
            ledger.new(3, URL, "prod")
        assert f"--replaces {first.id}" in (caught.value.next or "")
        assert first.token not in str(caught.value)
        with pytest.raises(RefusedError):
            ledger.new(3, URL, "prod", "0" * 32)
        second = ledger.new(5, URL, "prod", first.token)
        assert [each.replaced > 0 for each in ledger.all()] == [True, False]
        assert second.token != first.token
        assert ledger.new(3, URL).token != ledger.new(3, URL).token


def test_others_cannot_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with Ledger(tmp_path / "sub" / "l"):
            assert (tmp_path / "sub" / "l").stat().st_mode & 0o777 == 0o600
            assert (tmp_path / "sub").stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)


def test_what_was_said_to_be_done_is_done_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "l"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    lines = [writer.stdout.readline().split() for _ in range(30)]
    writer.send_signal(signal.SIGKILL)
    writer.wait(60)
    lines += [line.split() for line in writer.stdout if line.endswith("\n")]
    writer.stdout.close()
    with Ledger(path) as ledger:
        kept = {each.token: each for each in ledger.all()}
        for words in lines:
            assert words[-1] in kept
            if words[0] == "registered":
                assert kept[words[-1]].members[0].name == "n1"
        indices = [each.index for each in kept.values()] + [m.index for each in kept.values() for m in each.members]
        assert len(set(indices)) == len(indices)
        assert ledger.new(1, URL).index > max(indices)


def test_two_programs_share_it(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as one, Ledger(tmp_path / "l") as other:
        token = one.new(3, URL, "prod")
        found, _ = other.get(token.token)
        assert found == token
        with pytest.raises(RefusedError):
            other.new(3, URL, "prod")


def test_what_is_no_ledger(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is a text, and not a database; it is long enough to be told apart. " * 20)
    for path in (tmp_path / "text", tmp_path, Path("/proc/self/nothing/l")):
        with pytest.raises(InputError, match="the ledger cannot be used"):
            Ledger(path)
    with pytest.raises(InputError, match="there is no ledger"):
        Ledger(tmp_path / "absent", make=False)
    assert not (tmp_path / "absent").exists()


def test_a_ledger_that_fails_says_so(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l") as ledger:
        ledger._base.execute("DROP TABLE tokens")
        with pytest.raises(CoreopsError, match="cannot be read or written"):
            ledger.all()
        with pytest.raises(CoreopsError, match="cannot be read or written"):
            ledger.new(3, URL)
