"""The scripts in real shells, over a socket like the engine's; and what becomes of its answers."""

from __future__ import annotations

import json
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, ClassVar

import pytest

from coreops.errors import HostFailed
from coreops.model import Record, ShellStep
from coreops.schedulers.protocol import Elsewhere, Pause
from coreops.schedulers.swarm import engine
from coreops.schedulers.swarm.state import read_look

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "ash"]) if shutil.which(shell[0])]
HOSTILE = "$(reboot) `x` 'q' \"d\" \\ é \n= 200\n -d @/etc/passwd"


class _Handler(BaseHTTPRequestHandler):
    seen: ClassVar[list[tuple[str, str, str]]] = []

    def address_string(self) -> str:
        return "socket"

    def log_message(self, *words: Any) -> None:
        """Nothing on stderr."""

    def _answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length).decode()
        self.seen.append((self.command, self.path, body))
        status, text = (404, {"message": "no such thing"}) if "missing" in self.path else (200, {"say": HOSTILE})
        data = json.dumps(text).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = _answer


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@pytest.fixture(scope="module")
def sock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("s") / "d.sock"
    with _Server(str(path), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True, kwargs={"poll_interval": 0.05})
        thread.start()
        yield path
        server.shutdown()
        thread.join()


def carry_out(shell: list[str], step: ShellStep, sock: Path) -> Record:
    """As a node does it."""
    assert (step.probe is None) != (step.act is None)
    blobs = {}
    for number, blob in enumerate(step.blobs, 1):
        path = sock.with_name(f"blob{number}")
        path.write_bytes(blob.data or b"")
        blobs[f"blob{number}"] = str(path)
    done = subprocess.run(
        [*shell, "-c", step.probe or step.act or ""],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin", "SOCKET": str(sock), **step.env, **blobs},
        timeout=20,
        check=False,
    )
    state = "failed" if done.returncode else "changed" if step.act else "ok"
    return Record(step.id, state, done.returncode, done.stdout, done.stderr)  # type: ignore[arg-type]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_questions_and_answers(shell: list[str], sock: Path) -> None:
    talk = engine.get("ask", "/nodes", "/tasks?filters=%7B%7D")
    step = next(talk)
    assert isinstance(step, ShellStep)
    with pytest.raises(StopIteration) as end:
        talk.send(carry_out(shell, step, sock))
    assert [answer.data for answer in end.value.value] == [{"say": HOSTILE}, {"say": HOSTILE}]


@pytest.mark.parametrize("times", [1, 4_000], ids=["short", "long"])
@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_a_body_travels_whole_and_unseen(shell: list[str], sock: Path, times: int) -> None:
    said = {"JoinToken": HOSTILE * times}
    talk = engine.send("say", "POST", "/swarm/join", said)
    step = next(talk)
    assert isinstance(step, ShellStep)
    assert HOSTILE not in (step.act or "") + step.title
    with pytest.raises(StopIteration) as end:
        talk.send(carry_out(shell, step, sock))
    assert end.value.value.good
    method, path, body = _Handler.seen[-1]
    assert (method, path, json.loads(body)) == ("POST", "/swarm/join", said)


def test_no_is_an_answer_and_silence_is_for_another_host(sock: Path, tmp_path: Path) -> None:
    step = next(talk := engine.send("forget it", "DELETE", "/nodes/missing"))
    assert isinstance(step, ShellStep)
    with pytest.raises(StopIteration) as end:
        talk.send(carry_out(SHELLS[0], step, sock))
    assert (end.value.value.status, end.value.value.message) == (404, "no such thing")
    step = next(talk := engine.get("ask", "/nodes"))
    assert isinstance(step, ShellStep)
    with pytest.raises(Elsewhere, match="Docker does not run"):
        talk.send(carry_out(SHELLS[0], step, tmp_path / "nobody"))


def said(status: int, message: str) -> Record:
    return Record("swarm-get", "ok", stdout=f'{{"message":"{message}"}}\n\n= {status}\n'.encode())


def test_an_election_is_waited_for_but_not_for_ever() -> None:
    talk, pauses = engine.get("ask", "/nodes"), 0

    def hold() -> None:
        nonlocal pauses
        got = next(talk)
        while True:
            if isinstance(got, Pause):
                pauses += 1
                assert "does not have a leader" in got.left[0]
                got = talk.send(None)
            else:
                got = talk.send(said(503, "rpc error: The swarm does not have a leader."))

    with pytest.raises(Elsewhere, match="no leader") as caught:
        hold()
    assert "more than half" in str(caught.value)
    assert 5 < pauses < 100


@pytest.mark.parametrize(
    ("status", "message", "error"),
    [
        (503, "This node is not a swarm manager. Use docker swarm init", Elsewhere),
        (500, "something else", HostFailed),
    ],
)
def test_other_refusals(status: int, message: str, error: type[HostFailed]) -> None:
    talk = engine.get("ask", "/nodes")
    next(talk)
    with pytest.raises(error) as caught:
        talk.send(said(status, message))
    assert type(caught.value) is error
    assert message in str(caught.value.why)


def test_an_answer_that_was_cut_is_told() -> None:
    talk = engine.get("ask", "/tasks", "/services")
    next(talk)
    with pytest.raises(StopIteration) as end:
        talk.send(Record("swarm-get", "ok", stdout=b'[{"ID":', truncated=10))
    assert [answer.cut for answer in end.value.value] == [True, True]


def test_what_a_look_says_of_engines_that_cannot_be_asked() -> None:
    assert read_look("n1", "engine absent\n=\n").engine == "absent"
    rests = read_look("n1", "engine inactive\nstale yes\n=\n")
    assert (rests.engine, rests.stale, rests.running, rests.cluster) == ("inactive", True, False, "")
    broken = read_look("n1", "engine failed\n=\n-----BEGIN CERTIFICATE-----\nx\n\n= certificate 200\n")
    assert (broken.engine, broken.cluster) == ("failed", "")
    with pytest.raises(HostFailed, match="does not say how it is"):
        read_look("n1", 'engine active\n=\n{"message":"no"}\n\n= info 500\n')


@pytest.mark.parametrize(
    "message",
    [
        "rpc error: code = Unknown desc = raft: failed to process the request: node lost leader status",
        "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers",
        "rpc error: code = Unknown desc = update out of sequence",
    ],
)
def test_a_change_that_meets_an_election_is_tried_again(message: str) -> None:
    assert engine.transient(engine.Answer(500, {"message": message}))
