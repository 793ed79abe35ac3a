"""What the ``ssh`` program says about itself (-E log at DEBUG1), turned into stages and causes. Pure.

The log is apart from the remote command's stderr, so nothing a host prints can be taken for ssh's own words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from coreops.errors import CoreopsError, InputError, UnreachableError
from coreops.model import Target
from coreops.transport import failures, hostkeys
from coreops.transport.failures import Cause, failure

STAGES: tuple[tuple[str, Cause], ...] = (
    ("Connection established", failures.BANNER_TIMEOUT),
    ("Remote protocol version", failures.KEX_TIMEOUT),
    ("SSH2_MSG_NEWKEYS received", failures.AUTH_TIMEOUT),
)
NOISE = ("Warning: Permanently added", "Authenticated ", "Transferred: ", "Bytes per second: ", "ControlSocket ")
MAX_LINES = 60

CAUSES: tuple[tuple[re.Pattern[str], Cause], ...] = tuple(
    (re.compile(pattern), cause)
    for pattern, cause in (
        (r"Could not resolve hostname", failures.DNS),
        (r"Unable to negotiate|no matching .* found|Incompatible version", failures.KEX),
        (r"Permission denied|Too many authentication failures|No more authentication methods", failures.AUTH),
        (r"during banner exchange|banner exchange: .*timed out", failures.BANNER_TIMEOUT),
        (r"connect to .*Connection refused", failures.REFUSED),
        (r"connect to .*(No route to host|Network is unreachable)", failures.NO_ROUTE),
        (r"connect to .*timed out", failures.TCP_TIMEOUT),
        (r"(?i)banner line contains invalid|invalid SSH identification|protocol mismatch", failures.NOT_SSH),
        (r"Timeout, server .* not responding", failures.SILENT),
        (r"closed by remote host|Connection reset|Connection closed|Broken pipe", failures.RESET),
        (r"connect to ", failures.TCP_OTHER),
    )
)


@dataclass
class SshLog:
    """The log of one ssh process, fed as it comes."""

    lines: list[str] = field(default_factory=list)
    stage: int = 0
    authenticated: bool = False
    host_key: str = ""
    said_status: bool = False
    said_signal: bool = False
    strays: list[str] = field(default_factory=list)
    _rest: bytes = b""

    def feed(self, data: bytes) -> None:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._line(line.decode("utf-8", "replace").strip())

    def _line(self, line: str) -> None:
        if not line.startswith("debug"):
            self.authenticated |= line.startswith("Authenticated to ")
            if line and not line.startswith(NOISE) and not line.startswith("@@@"):
                self.lines = [*self.lines[-MAX_LINES:], line]
            return
        if self.authenticated:
            self.said_status |= "rtype exit-status" in line
            self.said_signal |= "rtype exit-signal" in line
            return
        while self.stage < len(STAGES) and STAGES[self.stage][0] in line:
            self.stage += 1
        if "Server host key: " in line:
            self.host_key = line.partition("Server host key: ")[2]
        elif "banner line " in line:
            self.strays.append(line.partition(": ")[2])

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def dropped(self) -> bool:
        """The server hung up before it said anything, as sshd does at random when too many log in at once."""
        early = self.stage == 1 and _cause(self.text) is failures.RESET
        return early and (not self.strays or any("MaxStartups" in line for line in self.strays))

    def timeout(self, target: Target) -> UnreachableError:
        """The error when the current stage takes too long."""
        cause = STAGES[self.stage - 1][1] if self.stage else failures.TCP_TIMEOUT
        return failure(cause, target, f"no progress in {target.connect_timeout:g} s; {self.text}".rstrip("; "))

    def error(self, target: Target, proxy_said: str, proxied: bool) -> CoreopsError:
        """The error when ssh gave up before it was authenticated."""
        why = "; ".join(filter(None, [*self.lines[-6:], *self.strays[:3]]))
        if re.search(
            r"Bad configuration option|^command-line|Bad owner or permissions|unknown option", self.text, re.M
        ):
            return InputError(
                "ssh does not accept its options", where=target.name, why=why, next="check ansible_ssh_args"
            )
        if re.search(r"IDENTIFICATION HAS CHANGED|REVOKED HOST KEY|host key is known|ost key verification", self.text):
            return self._host_key_error(target)
        if proxied and self.stage < 2:
            inner = SshLog([line for line in proxy_said.splitlines() if line.strip()])
            cause = _cause(inner.text) or failures.PROXY_COMMAND
            if "key verification failed" in inner.text or "host key is known" in inner.text:
                return failures.via_jump(inner._host_key_error(target), "ssh")
            if "open failed" in inner.text or cause is failures.PROXY_COMMAND:
                cause = failures.FORWARD if "open failed" in inner.text else cause
                return failure(cause, target, inner.text or why)
            return failures.via_jump(failure(cause, target, "; ".join(inner.lines)), "ssh")
        if self.strays and not any("MaxStartups" in line for line in self.strays):
            return failure(failures.NOT_SSH, target, why)
        cause = _cause(self.text) or (failures.KEX if self.stage < 3 else failures.AUTH)
        if cause is failures.RESET and self.stage >= 2:
            cause = failures.KEX if self.stage == 2 else failures.AUTH
        return failure(cause, target, why)

    def lost(self, target: Target) -> UnreachableError:
        """The error when ssh gave up after it was authenticated."""
        cause = failures.SILENT if _cause(self.text) is failures.SILENT else failures.LOST
        return failure(cause, target, "; ".join(self.lines[-3:]))

    def _host_key_error(self, target: Target) -> UnreachableError:
        shown = f"the server shows {self.host_key}" if self.host_key else "; ".join(self.lines[-3:])
        offending = re.search(r"^Offending (?:RSA|ECDSA|ED25519|DSA|\S+) key in (.+?):(\d+)$", self.text, re.MULTILINE)
        if "REVOKED HOST KEY" in self.text:
            what, advice = hostkeys.REVOKED, "do not trust this host; give it a new key"
        elif "HAS CHANGED" in self.text or offending:
            at = f"{offending[1]}:{offending[2]}" if offending else "the known_hosts file"
            what, shown = hostkeys.CHANGED, f"{shown}; known is {at}{_old(offending)}"
            advice = f"someone may be in between; if the host was really reinstalled, delete {at}"
        else:
            what, advice = hostkeys.UNKNOWN, "compare the fingerprint, then pass --accept-new, or add the key"
            shown += f"; looked at {', '.join(map(str, target.known_hosts)) or 'the files of ssh_config'}"
            certificate = [line for line in self.lines if "ertificate" in line]
            shown = "; ".join([shown, *certificate])
        return UnreachableError("host key", what, where=target.name, why=shown, next=advice)


def _old(offending: re.Match[str] | None) -> str:
    """The fingerprint of the line that ssh points at."""
    if offending is None:
        return ""
    from pathlib import Path

    for key in hostkeys.known_hosts(Path(offending[1])).keys:
        if key.position.line == int(offending[2]):
            return f": {key.key_type} {hostkeys.fingerprint(key.blob)}"
    return ""


def _cause(text: str) -> Cause | None:
    return next((cause for pattern, cause in CAUSES if pattern.search(text)), None)
