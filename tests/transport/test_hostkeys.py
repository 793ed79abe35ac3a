"""known_hosts: parsing, judging, recording."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coreops.errors import InputError, UnreachableError
from coreops.transport.hostkeys import (
    HostKeyPolicy,
    fingerprint,
    host_line,
    judge,
    known_hosts,
    lookup_name,
    parse_known_hosts,
)
from tests.support.sshd import keypair

NAMES = st.text(st.characters(codec="ascii", categories=("Ll", "Nd")), min_size=1, max_size=12)
BLOBS = st.binary(min_size=1, max_size=40)


def known(text: str, name: str) -> list[tuple[str, bytes]]:
    return [(key.marker, key.blob) for key in parse_known_hosts(text, "f").of(name)]


def b64(blob: bytes) -> str:
    return base64.b64encode(blob).decode()


@given(NAMES, st.integers(1, 65535), BLOBS)
def test_a_recorded_line_is_found_again(host: str, port: int, blob: bytes) -> None:
    name = lookup_name(host, port)
    assert known(host_line(name, "ssh-ed25519", blob), name) == [("", blob)]


@given(NAMES, BLOBS)
def test_a_hashed_line_is_found_by_its_name_only(host: str, blob: bytes) -> None:
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, host.encode(), hashlib.sha1).digest()
    line = f"|1|{b64(salt)}|{b64(digest)} ssh-rsa {b64(blob)}"
    assert known(line, host) == [("", blob)]
    assert known(line, host + "x") == []


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    for key in parse_known_hosts(text, "f").keys:
        assert key.position.line >= 1
    parse_known_hosts(text, "f").of("host")


@given(st.text(max_size=30), st.sampled_from(["host", "[host]:2222"]))
def test_no_host_pattern_breaks_the_lookup(pattern: str, name: str) -> None:
    parse_known_hosts(f"{pattern} ssh-rsa AAAA", "f").of(name)


@pytest.mark.parametrize(
    ("names", "name", "found"),
    [
        ("a,b,c", "b", True),
        ("A", "a", True),
        ("*.example.org", "n1.example.org", True),
        ("*.example.org,!n1.*", "n1.example.org", False),
        ("n?", "n1", True),
        ("[10.0.0.*]:2222", "[10.0.0.7]:2222", True),
        ("[10.0.0.7]:2222", "10.0.0.7", False),
        ("!b,a", "a", True),
        ("!a", "b", False),
    ],
)
def test_host_patterns(names: str, name: str, found: bool) -> None:
    assert bool(known(f"{names} ssh-rsa AAAA", name)) is found


def test_hashes_made_by_ssh_keygen(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text(host_line("[n1]:2222", "ssh-ed25519", b"\0\0\0\x0bssh-ed25519\0\0\0\x20" + b"k" * 32) + "\n")
    subprocess.run(["ssh-keygen", "-H", "-f", str(file)], check=True, capture_output=True)
    assert "[n1]" not in file.read_text()  # "n1" may well be a part of a key
    assert len(known_hosts(file).of("[n1]:2222")) == 1


@pytest.mark.parametrize(
    ("lines", "state"),
    [
        ([], "unknown"),
        (["h ssh-rsa QUJD"], "known"),
        (["h ssh-rsa AAAA"], "changed"),
        (["h ssh-ed25519 AAAA"], "changed"),
        (["h ssh-rsa AAAA", "h ssh-rsa QUJD"], "known"),
        (["h ssh-rsa QUJD", "@revoked * ssh-rsa QUJD"], "revoked"),
        (["@revoked * ssh-rsa AAAA"], "unknown"),
        (["@cert-authority h ssh-rsa AAAA"], "authority"),
        (["@cert-authority h ssh-rsa QUJD"], "authority"),
        (["@cert-authority h ssh-rsa AAAA", "h ssh-rsa QUJD"], "known"),
        (["@strange h ssh-rsa QUJD", "# h ssh-rsa QUJD", "h ssh-rsa not*base64"], "unknown"),
    ],
)
def test_verdicts(lines: list[str], state: str) -> None:
    keys = parse_known_hosts("\n".join(lines), "f").of("h")
    assert judge(keys, "ssh-rsa", b"ABC").state == state


def policy(*files: Path, port: int = 22, accept_new: bool = False) -> HostKeyPolicy:
    return HostKeyPolicy(files, "h", port, "node", accept_new)


def test_a_file_is_read_again_when_it_changed(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text("h ssh-rsa QUJD\n")
    policy(file).check("ssh-rsa", b"ABC")
    file.write_text("h ssh-rsa AAAAAAAA\n")
    with pytest.raises(UnreachableError, match="changed"):
        policy(file).check("ssh-rsa", b"ABC")


def test_a_host_on_another_port_is_found_by_its_bare_name(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text("h ssh-rsa QUJD\n")
    policy(file, port=2222).check("ssh-rsa", b"ABC")
    assert policy(file, port=2222).key_types() == ["ssh-rsa"]


def test_an_authority_line_points_to_the_openssh_transport(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text("@cert-authority * ssh-rsa AAAA\n")
    with pytest.raises(UnreachableError) as caught:
        policy(file, accept_new=True).check("ssh-rsa", b"ABC")
    assert "coreops_transport: openssh" in str(caught.value.next)


def test_accept_new_appends_whole_lines_even_from_many_threads(tmp_path: Path) -> None:
    file = tmp_path / "made" / "known"
    file.parent.mkdir()
    file.write_text("# no newline at the end")

    def record(number: int) -> None:
        HostKeyPolicy((file,), f"h{number % 5}", 22, "node", True).check("ssh-rsa", b"key%d" % (number % 5))

    threads = [threading.Thread(target=record, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = file.read_text().splitlines()
    assert lines[0] == "# no newline at the end"
    assert sorted(lines[1:]) == [host_line(f"h{number}", "ssh-rsa", b"key%d" % number) for number in range(5)]


def test_a_file_that_cannot_be_read_or_written_is_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="known_hosts"):
        policy(tmp_path).check("ssh-rsa", b"ABC")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError):
        policy(tmp_path / "file" / "below", accept_new=True).check("ssh-rsa", b"ABC")


def test_the_fingerprint_is_the_one_ssh_keygen_shows(tmp_path: Path) -> None:
    public = keypair(tmp_path / "key").with_suffix(".pub")
    shown = subprocess.run(["ssh-keygen", "-lf", str(public)], check=True, capture_output=True, text=True).stdout
    assert fingerprint(base64.b64decode(public.read_text().split()[1])) in shown
