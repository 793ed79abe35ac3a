"""Getting from a byte stream to a link that has logged in: handshake, the server's key, authentication."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from paramiko.ssh_exception import IncompatiblePeer, SSHException

from coreops.errors import UnreachableError
from coreops.model import Target
from coreops.transport import failures
from coreops.transport.failures import failure
from coreops.transport.keys import LazyAgent, candidates
from coreops.transport.link import Link
from coreops.transport.pipe import Pipe
from coreops.transport.sshconfig import Hop
from coreops.transport.trouble import Late, LinkDown, NotAllowed

ATTEMPTS = 8
Stream = tuple[Any, Callable[[], str], Callable[[], None]]
Reached = tuple[Link, Pipe | None, Callable[[], None]]


def greet(target: Target, hop: Hop, stream: Stream, dial: Callable[[], Stream], session: bool) -> Reached:
    """Log in over a stream. sshd drops connections at random when many come at once: dial again, spread out.

    stream: a socket, how to learn what went wrong with it, and how to close what stands behind it. session: ask for
    a session in the same breath; it is opened on the pipe. Raises UnreachableError, HostKeyError.
    """
    deadline = time.monotonic() + hop.timeout
    for attempt in range(1, ATTEMPTS + 1):
        sock, said, release = stream
        link = Link(sock, hop.host_keys.key_types())
        try:
            _handshake(target, hop, link, said)
            return link, _authenticate(target, hop, link, session), release
        except _Dropped as dropped:
            link.close()
            release()
            pause = random.uniform(0.05, 0.2) * attempt
            if attempt == ATTEMPTS or time.monotonic() + pause > deadline:
                raise dropped.error from None
            time.sleep(pause)  # not for luck: sshd counts connections that have not logged in yet
        except BaseException:
            link.close()
            release()
            raise
        stream = dial()
    raise AssertionError("unreachable")


class _Dropped(Exception):
    """The server hung up before it said anything. Internal."""

    def __init__(self, error: UnreachableError) -> None:
        super().__init__(str(error))
        self.error = error


def _handshake(target: Target, hop: Hop, link: Link, said: Callable[[], str]) -> None:
    at = f"{hop.host} port {hop.port}"
    try:
        link.handshake(hop.timeout)
    except Late as error:
        cause = failures.BANNER_TIMEOUT if str(error) == "banner" else failures.KEX_TIMEOUT
        raise failure(cause, target, f"{at}: nothing came in {hop.timeout:g} s") from None
    except LinkDown as error:
        why = "; ".join(filter(None, (f"{at}: {error}", said(), *link.stray_lines[:3])))
        if isinstance(link.saved_exception, IncompatiblePeer):
            raise failure(failures.KEX, target, why) from None
        if hop.proxy_command is not None:
            raise failure(failures.PROXY_COMMAND, target, why) from None
        if link.remote_version:
            raise failure(failures.KEX, target, why) from None
        if link.stray_lines and "MaxStartups" not in why:
            raise failure(failures.NOT_SSH, target, why) from None
        raise _Dropped(failure(failures.RESET, target, why)) from None
    except SSHException as error:
        cause = failures.KEX if isinstance(error, IncompatiblePeer) else failures.NOT_SSH
        raise failure(cause, target, "; ".join((f"{at}: {error}", *link.stray_lines[:3]))) from None
    key = link.host_key
    hop.host_keys.check(key.get_name(), key.asbytes())


def _authenticate(target: Target, hop: Hop, link: Link, session: bool) -> Pipe | None:
    agent = LazyAgent()
    try:
        keys = candidates(hop.identity_files, hop.default_keys, agent, target.name)
        offered = ", ".join(key.fingerprint for key in keys)
        who = f"user {hop.user} at {hop.host} port {hop.port}"
        if not keys:
            raise failure(failures.NO_KEY, target, f"{who}: no key file, and ssh-agent holds none")
        return link.authenticate(hop.user, keys, hop.timeout, session)
    except NotAllowed as error:
        cause = failures.PARTIAL_AUTH if "artial" in str(error) else failures.AUTH
        raise failure(cause, target, f"{who}: offered {offered}") from None
    except Late:
        raise failure(failures.AUTH_TIMEOUT, target, f"{who}: no answer in {hop.timeout:g} s") from None
    except LinkDown as error:
        raise failure(failures.AUTH, target, f"{who}: offered {offered}; {error}") from None
    except SSHException as error:
        raise failure(failures.AUTH, target, f"{who}: {error}") from None
    finally:
        agent.close()
