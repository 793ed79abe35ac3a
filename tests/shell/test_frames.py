from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coreops.shell.frames import Begun, Ended, Finished, Hello, MarkReader, Need, frame

NONCE = "00112233aabbccdd"


def mark(text: str) -> bytes:
    return b"\x1e" + NONCE.encode() + b" " + text.encode() + b"\n"


def test_frame_says_its_length_in_bytes():
    assert frame("n", "r", "ü\n", "core") == "coreops1 n 3 core r 0\nü\n".encode()
    assert frame("n", "r", "x") == b"coreops1 n 1 - r 0\nx"
    assert frame("n", "r", "x\ny\n") == b"coreops1 n 4 - r 2\nx\ny\n", "few bytes: how many lines"
    assert frame("n", "r", "x" * 5000 + "\n").startswith(b"coreops1 n 5001 - r 0\n")


@given(
    out=st.binary(max_size=200).filter(lambda data: NONCE.encode() not in data),
    err=st.binary(max_size=200).filter(lambda data: NONCE.encode() not in data),
    cuts=st.lists(st.integers(1, 40), min_size=1),
    stderr_first=st.booleans(),
)
def test_messages_do_not_depend_on_how_bytes_arrive(out, err, cuts, stderr_first):
    stdout = b"motd\n" + mark("h 42 boot") + mark("b 1 p") + out + mark("e 1 p 1") + mark("n 1 2") + mark("b 1 a")
    stdout += out + mark("e 1 a 0") + mark("r 1 changed 0 info text") + b"stray" + mark("z done")
    stderr = b"warning\n" + mark("h") + err + mark("e 1 p") + err + mark("e 1 a")
    reader = MarkReader(NONCE)
    messages = []
    chunks = {1: stdout, 2: stderr}
    for stream in (2, 1) if stderr_first else (1, 2):
        data, position = chunks[stream], 0
        for turn in range(len(data)):
            if position >= len(data):
                break
            size = cuts[turn % len(cuts)]
            messages += reader.feed(stream, data[position : position + size])
            position += size
    kinds = [type(message) for message in messages]
    assert kinds == [Hello, Begun, Need, Begun, Ended, Finished]
    ended = messages[4]
    assert (ended.state, ended.rc, ended.info) == ("changed", 0, "info text")
    assert {phase: (output.rc, output.stdout, output.stderr) for phase, output in ended.phases.items()} == {
        "p": ("1", out, err),
        "a": ("0", out, err),
    }


def test_output_beyond_the_limit_is_dropped_and_counted():
    reader = MarkReader(NONCE, limit=10)
    list(reader.feed(2, mark("h") + b"y" * 25 + mark("e 1 a")))
    messages = list(reader.feed(1, mark("b 1 a") + b"x" * 8))
    for _ in range(100):
        messages += reader.feed(1, b"x" * 1000)
    messages += reader.feed(1, mark("e 1 a 0") + mark("r 1 ok 0"))
    output = messages[-1].phases["a"]
    assert (output.stdout, output.stderr, output.truncated) == (b"x" * 10, b"y" * 10, 100_008 - 10 + 15)


def test_noise_of_a_shell_that_does_not_come_up():
    reader = MarkReader(NONCE)
    assert list(reader.feed(2, b"sudo: a password is required\n")) == []
    assert reader.noise == b"sudo: a password is required\n"
