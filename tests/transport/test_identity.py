"""Who is who, with real keys: certificates, agents, encrypted files, ssh_config and proxies."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from coreops.errors import InputError, UnreachableError
from coreops.transport import Transport
from tests.support.sshd import Sshd, keypair
from tests.transport.conformance import read_until, wait_for

pytestmark = pytest.mark.slow

BOTH = pytest.mark.parametrize("name", ["paramiko", "openssh"])
Factory = Callable[[str], Transport]


def works(transport: Transport, sshd: Sshd, **changes: Any) -> bool:
    connection = transport.open(sshd.target(**changes), "echo in; cat")
    try:
        return read_until(connection, lambda out, err: out == b"in\n") == (b"in\n", b"")
    finally:
        connection.close()


def sign(authority: Path, public: Path, *options: str) -> None:
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "test", *options, str(public)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    return keypair(tmp_path / "ca")


@BOTH
def test_user_certificate(name: str, transport: Factory, new_sshd: Callable[..., Sshd], authority: Path) -> None:
    server = new_sshd(f"TrustedUserCAKeys {authority}.pub")
    key = keypair(authority.parent / "user")
    with pytest.raises(UnreachableError) as caught:
        works(transport(name), server, identity_files=(key,))
    assert caught.value.kind == "auth"
    sign(authority, key.with_suffix(".pub"), "-n", server.user)
    os.utime(key)
    assert works(transport(name), server, identity_files=(key,))


def certified(new_sshd: Callable[..., Sshd], authority: Path, principal: str) -> Sshd:
    """A server that shows a host certificate for ``principal``."""
    host_key = keypair(authority.parent / "host")
    sign(authority, host_key.with_suffix(".pub"), "-h", "-n", principal)
    server = new_sshd(f"HostKey {host_key}", f"HostCertificate {host_key}-cert.pub", host_key_types=("rsa",))
    public = authority.with_suffix(".pub").read_text()
    server.known_hosts.write_text(f"@cert-authority [127.0.0.1]:{server.port} {public}")
    return server


def test_host_certificate_through_openssh(transport: Factory, new_sshd: Callable[..., Sshd], authority: Path) -> None:
    assert works(transport("openssh"), certified(new_sshd, authority, "127.0.0.1"))


def test_host_certificate_for_another_host(transport: Factory, new_sshd: Callable[..., Sshd], authority: Path) -> None:
    with pytest.raises(UnreachableError) as caught:
        works(transport("openssh"), certified(new_sshd, authority, "somebody.else"))
    assert caught.value.kind == "host key"


def test_paramiko_sends_host_certificates_to_openssh(
    transport: Factory, new_sshd: Callable[..., Sshd], authority: Path
) -> None:
    with pytest.raises(UnreachableError) as caught:
        works(transport("paramiko"), certified(new_sshd, authority, "127.0.0.1"))
    assert caught.value.kind == "host key"
    assert "coreops_transport: openssh" in str(caught.value.next)


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
@BOTH
def test_other_key_types(
    name: str, transport: Factory, new_sshd: Callable[..., Sshd], kind: str, tmp_path: Path
) -> None:
    server = new_sshd(host_key_types=(kind,), key=keypair(tmp_path / kind, kind))
    assert works(transport(name), server)


@BOTH
def test_the_known_key_type_is_asked_for(name: str, transport: Factory, new_sshd: Callable[..., Sshd]) -> None:
    server = new_sshd(host_key_types=("ed25519", "rsa"))
    server.known_hosts.write_text(server.line(server.folder / "host_rsa"))
    assert works(transport(name), server)


@pytest.fixture
def agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    wait_for(socket.exists)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
    yield socket
    process.terminate()
    process.wait()


@BOTH
def test_encrypted_key(
    name: str, transport: Factory, new_sshd: Callable[..., Sshd], tmp_path: Path, agent: Path
) -> None:
    key = keypair(tmp_path / "locked", passphrase="open sesame")
    server = new_sshd(key=key)
    with pytest.raises((InputError, UnreachableError)) as caught:
        works(transport(name), server)
    assert "key" in caught.value.what
    plain = tmp_path / "plain"
    shutil.copy(key, plain)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "open sesame", "-N", "", "-f", str(plain)], check=True)
    subprocess.run(["ssh-add", "-q", str(plain)], check=True, capture_output=True)
    assert works(transport(name), server)


@BOTH
def test_keys_of_the_agent(name: str, transport: Factory, sshd: Sshd, tmp_path: Path, agent: Path) -> None:
    for key in (keypair(tmp_path / "other"), sshd.key):
        subprocess.run(["ssh-add", "-q", str(key)], check=True, capture_output=True)
    assert works(transport(name), sshd, identity_files=())


@BOTH
def test_no_key_at_all(name: str, transport: Factory, sshd: Sshd) -> None:
    with pytest.raises(UnreachableError) as caught:
        works(transport(name), sshd, identity_files=())
    assert caught.value.kind == "auth"


def test_a_key_file_that_is_none_is_bad_input(transport: Factory, sshd: Sshd, tmp_path: Path) -> None:
    (tmp_path / "junk").write_text("junk")
    with pytest.raises(InputError, match="not a usable private key"):
        works(transport("paramiko"), sshd, identity_files=(tmp_path / "junk",))


def test_ssh_config_of_the_operator(transport: Factory, new_sshd: Callable[..., Sshd]) -> None:
    jump = new_sshd()
    server = new_sshd(key=jump.key)
    config = Path("~/.ssh/config").expanduser()
    config.parent.mkdir()
    known = config.parent / "known"
    known.write_text(server.line() + jump.line())
    config.write_text(
        f"Host *\n  User {server.user}\n  IdentityFile {server.key}\n  UserKnownHostsFile {known}\n"
        f"Host bastion\n  HostName 127.0.0.1\n  Port {jump.port}\n"
        f"Host node\n  HostName 127.0.0.1\n  Port {server.port}\n  ProxyJump bastion\n"
    )
    bare: dict[str, Any] = {"address": "node", "port": None, "user": None, "identity_files": (), "known_hosts": ()}
    assert works(transport("paramiko"), server, **bare)
    assert "Accepted publickey" in (jump.folder / "log").read_text()


@BOTH
def test_proxy_command(name: str, transport: Factory, sshd: Sshd, tmp_path: Path) -> None:
    helper = tmp_path / "relay"
    helper.write_text(
        "import os, socket, sys, threading\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while data := os.read(0, 65536): s.sendall(data)\n"
        "    s.shutdown(1)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while data := s.recv(65536): os.write(1, data)\n"
    )
    assert works(transport(name), sshd, ssh_args=("-o", f"ProxyCommand=python3 -S {helper} %h %p"))
    with pytest.raises(UnreachableError) as caught:
        works(transport(name), sshd, ssh_args=("-o", "ProxyCommand=sh -c 'echo no way out >&2; sleep 0.3'"))
    assert caught.value.kind == "proxy"
    assert "no way out" in str(caught.value.why)
