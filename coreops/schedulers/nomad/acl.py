"""The token with which coreops manages a Nomad that has ACLs: made once, here, and given to Nomad as its first token.

It is known before Nomad knows it, so nothing is lost when the answer is: ``pki/nomad-token`` on this machine, and on
each server ``pki/token`` of its folder (root's, 0600), which api.sh sends along. No step, argument or answer has it.

A later one is drawn by Nomad, which takes no other: it comes in an answer, and is kept and installed as the first one
was. Both are good meanwhile. Its name says which one it takes the place of, so that whoever comes next knows what to
take away: that one, and any of such a name that servers do not use (of a run that was broken off).

Nomad's side: nomad/acl_endpoint.go (Bootstrap, with a secret of the operator's; UpsertTokens; DeleteTokens),
command/agent/acl_endpoint.go, api-docs/acl/tokens.mdx.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coreops.errors import HostFailed, RefusedError
from coreops.model import ShellStep
from coreops.schedulers.nomad.api import SCRIPT, Api, good
from coreops.schedulers.protocol import Elsewhere, Pause, Talk, ask

TOKEN = "nomad-token"
SELF, TOKENS = "/v1/acl/token/self", "/v1/acl/tokens"
_NAMED = "coreops, in place of "
_ABSENT = "nonexistent"
_SCRIPT = Path(__file__).with_name("acl.sh")


@dataclass(frozen=True, slots=True)
class Token:
    """One token, by what may be seen of it. everywhere: in all regions."""

    accessor: str
    name: str
    everywhere: bool = False


def token(value: Mapping[str, Any]) -> Token:
    """An entry of ``/v1/acl/tokens``, or the answer of ``/v1/acl/token/self``."""
    return Token(value["AccessorID"], value.get("Name") or "", bool(value.get("Global")))


def unused(own: Token, tokens: Iterable[Token]) -> tuple[str, ...]:
    """What servers that use ``own`` do not need any more: accessors."""
    return tuple(
        each.accessor
        for each in tokens
        if each.accessor != own.accessor and (each.name.startswith(_NAMED) or own.name == f"{_NAMED}{each.accessor}")
    )


def issue(api: Api) -> Talk[bytes]:
    """A new token beside the one that this server has. Raises HostFailed."""
    own = token((yield from api.get(SELF)))
    body = {"Name": f"{_NAMED}{own.accessor}", "Type": "management", "Global": own.everywhere}
    made = yield from api.put("/v1/acl/token", body, "have Nomad make a new token", method="POST")
    secret = str(made["SecretID"])
    while True:
        found = yield from api.request("GET", SELF, token=secret)
        if found.good and token(found.value).accessor == made["AccessorID"]:
            return f"{secret}\n".encode()
        yield Pause((f"Nomad to know its new token (HTTP {found.status})",))


def forget(api: Api, accessor: str) -> Talk[None]:
    """Take away what servers that all use this one do not need any more."""
    own = token((yield from api.get(SELF)))
    if own.accessor != accessor:
        return
    for each in unused(own, map(token, (yield from api.pages(TOKENS)))):
        reply = yield from api.request("DELETE", f"/v1/acl/token/{each}")
        if not reply.good and _ABSENT not in str(reply.value):
            good(reply, f"take away the token {each}")


def unlock(api: Api) -> Talk[None]:
    """Have Nomad take the token of this server; nothing to do when it does already. Raises RefusedError when another
    one was first.
    """
    known = yield from api.request("GET", "/v1/agent/self")
    if known.good:
        return
    record = yield from ask(_step(api))
    if record.state in ("failed", "unknown"):
        said = record.stderr.decode("utf-8", errors="replace").strip().splitlines()
        kind = Elsewhere if record.rc in (5, 6) else HostFailed
        raise kind("could not give Nomad its first token", why=said[-1] if said else f"exit {record.rc}")
    status, _, said_ = record.stdout.decode("utf-8", errors="replace").strip().partition(" ")
    if "already done" in said_:
        raise RefusedError(
            "this Nomad has ACLs, and does not know coreops's token",
            why=f"its first token was made by somebody else ({said_})",
            next=f"write the secret id of a management token into pki/{TOKEN} (mode 0600), or reset the bootstrap "
            "as Nomad's documentation says",
        )
    if status != "200":
        raise HostFailed("could not give Nomad its first token", why=f"HTTP {status}: {said_}")
    known = yield from api.request("GET", "/v1/agent/self")
    if not known.good:
        why = f"it took the token, and refuses it now (HTTP {known.status}: {json.dumps(known.value)[:200]})"
        raise HostFailed("Nomad does not know the token that it was given", why=why)


def _step(api: Api) -> ShellStep:
    text = SCRIPT.read_text(encoding="utf-8") + "\n" + _SCRIPT.read_text(encoding="utf-8")
    return ShellStep(
        id="nomad-acl",
        title="give Nomad its first token",
        act=text,
        env=api.env("/v1/acl/bootstrap"),
        timeout=60.0,
        secret=True,
    )
