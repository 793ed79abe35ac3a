"""The words for every way a connection can fail, so that the same cause reads the same on every host and transport.

``what`` never names an address (reports group hosts by it); the details are in ``why``. Pure.
"""

from __future__ import annotations

import errno
import socket

from coreops.errors import UnreachableError, UnreachableKind
from coreops.frozen import frozen
from coreops.model import Target


@frozen
class Cause:
    """A kind of failure, without the host it happened on."""

    kind: UnreachableKind
    what: str
    next: str


DNS = Cause("dns", "host name does not resolve", "check the name, or set ansible_host to an address")
REFUSED = Cause("tcp", "connection refused", "check that sshd runs there, and the port (ansible_port)")
NO_ROUTE = Cause("tcp", "no route to host", "check the address (ansible_host) and the network between")
RESET = Cause("tcp", "connection reset", "check firewalls and sshd's MaxStartups; lower --forks")
TCP_OTHER = Cause("tcp", "connection failed", "check the address and the network between")
TCP_TIMEOUT = Cause("timeout", "connect timed out", "check the address and firewalls, or raise the connect timeout")
BANNER_TIMEOUT = Cause(
    "timeout", "no answer from an SSH server", "something listens there but does not speak SSH, or the host hangs"
)
KEX_TIMEOUT = Cause("timeout", "key exchange timed out", "the host is overloaded or frozen; try again")
AUTH_TIMEOUT = Cause("timeout", "authentication timed out", "check sshd's UseDNS, PAM and the host's load")
START_TIMEOUT = Cause("timeout", "the command did not start in time", "check the host's load and sudo's name lookups")
NOT_SSH = Cause("key exchange", "not an SSH server", "check the port (ansible_port)")
KEX = Cause("key exchange", "key exchange failed", "no common algorithm; try coreops_transport: openssh")
PROXY_COMMAND = Cause("proxy", "ProxyCommand failed", "run the command by hand")
FORWARD = Cause("proxy", "the jump host could not reach the host", "check the address as seen from the jump host")
AUTH = Cause(
    "auth", "no key was accepted", "check the user (ansible_user), the key file, and the host's authorized_keys"
)
NO_KEY = Cause("auth", "no key to offer", "set ansible_ssh_private_key_file, or add a key to ssh-agent")
PARTIAL_AUTH = Cause(
    "auth",
    "the host asks for a second factor",
    "nobody is there to answer it: allow this user to log in with a key alone",
)
SUDO_PASSWORD = Cause("sudo", "sudo asks for a password", "allow NOPASSWD for this user, or pass --ask-become-pass")
SUDO_WRONG = Cause("sudo", "sudo rejected the password", "check the password; it was tried once only")
SUDO_DENIED = Cause("sudo", "sudo refuses this user", "add the user to sudoers, or connect as root")
SUDO_MISSING = Cause("sudo", "sudo is not installed", "connect as root (ansible_user: root) without become")
SUDO_TTY = Cause("sudo", "sudo wants a terminal", "remove requiretty from sudoers")
SHELL = Cause("shell", "the remote shell did not start", "check the user's login shell and sshd's ForceCommand")
LOST = Cause("lost", "connection lost", "check the host and the network, then run again: every step can be repeated")
ENDED = Cause("lost", "the remote command ended", "look at the host's log for a killed process, then run again")
SILENT = Cause("lost", "the host stopped answering", "check the host and the network, then run again")
CLOSED = Cause("lost", "the connection was closed by coreops", "run again")


def failure(cause: Cause, target: Target, why: str | None = None, next: str | None = None) -> UnreachableError:
    """Make the error for one host."""
    return UnreachableError(cause.kind, cause.what, where=target.name, why=why or None, next=next or cause.next)


def via_jump(error: UnreachableError, jump: str) -> UnreachableError:
    """The same error, said of a jump host."""
    why = f"{jump}: {error.why}" if error.why else jump
    return UnreachableError("proxy", f"jump host: {error.what}", where=error.where, why=why, next=error.next)


ERRNOS = {
    errno.ECONNREFUSED: REFUSED,
    errno.ECONNRESET: RESET,
    errno.EPIPE: RESET,
    errno.EHOSTUNREACH: NO_ROUTE,
    errno.ENETUNREACH: NO_ROUTE,
    errno.EHOSTDOWN: NO_ROUTE,
    errno.ETIMEDOUT: TCP_TIMEOUT,
}


def of_os_error(error: OSError) -> Cause:
    """Name the cause of an error from connect()."""
    if isinstance(error, socket.gaierror):
        return DNS
    if isinstance(error, TimeoutError):
        return TCP_TIMEOUT
    return ERRNOS.get(error.errno or 0, TCP_OTHER)
