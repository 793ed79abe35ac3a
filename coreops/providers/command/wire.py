"""What coreops and a provider's program say to each other: requests to bytes, answers to machines. Pure.

One version number for both sides. An answer that is not understood is one error that says what was said.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from coreops.errors import CoreopsError
from coreops.providers.protocol import ADDRESSES, Machine, Wanted, digest, mark

VERSION: Final = 1
PREFIX: Final = "command_"
OURS: Final = ("command_program", "command_timeout", "command_platform", "command_target")
"""Variables with the prefix that are for coreops rather than for the program."""
_DOCS: Final = "docs/writing-a-provider.md has the format"
_STATES: Final = ("pending", "running", "stopped")
_SHOWN: Final = 200


class Misunderstood(CoreopsError):
    """The program answered with something else than what was asked for."""


def settings(wanted: Wanted) -> dict[str, Any]:
    """The program's own variables, without the prefix."""
    return {
        name.removeprefix(PREFIX): value
        for name, value in wanted.settings.items()
        if name.startswith(PREFIX) and name not in OURS
    }


def facts(wanted: Wanted) -> dict[str, str]:
    """What a machine made from this would report."""
    return {**{name: text(value) for name, value in settings(wanted).items()}, "user_data": digest(wanted.user_data)}


def text(value: Any) -> str:
    """A value of the inventory as a fact: a text as it is, else its JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)


def request(verb: str, cluster: str, **parts: Any) -> bytes:
    """One request."""
    return json.dumps({"coreops": VERSION, "verb": verb, "cluster": cluster, **parts}, default=str).encode() + b"\n"


def create(wanted: Wanted) -> bytes:
    """The request to make a machine."""
    return request(
        "create",
        wanted.cluster,
        node=wanted.node,
        mark=mark(wanted.cluster, wanted.node),
        settings=settings(wanted),
        user_data=base64.b64encode(wanted.user_data).decode(),
        user_data_digest=digest(wanted.user_data),
    )


def about(verb: str, cluster: str, machine: Machine, **parts: Any) -> bytes:
    """A request about a machine that there is."""
    return request(verb, cluster, node=machine.node, mark=mark(cluster, machine.node), id=machine.id, **parts)


def answer(data: bytes, program: str, verb: str) -> Mapping[str, Any]:
    """The object that the program answered. Raises CoreopsError, with its own words when it refused."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Misunderstood(
            f"{program} did not answer `{verb}` with JSON", why=f"{error}; it said {_shown(data)}", next=_DOCS
        ) from None
    if not isinstance(found, dict) or found.get("coreops") != VERSION:
        raise Misunderstood(
            f"{program} does not speak version {VERSION} of the format",
            why=f'its answer to `{verb}` must be an object with "coreops": {VERSION}; it said {_shown(data)}',
            next=_DOCS,
        )
    if "error" in found:
        raise _refused(found["error"], program, verb)
    return found


def _refused(error: Any, program: str, verb: str) -> CoreopsError:
    told = error if isinstance(error, dict) else {"why": error}
    return CoreopsError(
        f"{program} refused `{verb}`",
        why=str(told.get("why") or "it gives no reason"),
        next=str(told.get("next") or "put right what it complains of, then run the same command again"),
    )


def one_machine(found: Mapping[str, Any], wanted: Wanted, program: str) -> Machine:
    """The machine that was made. Raises CoreopsError unless it is the one that was asked for."""
    machine, its_mark = _machine(found.get("machine"), program, "create")
    if machine.node != wanted.node or its_mark != mark(wanted.cluster, wanted.node):
        raise Misunderstood(
            f"{program} answered `create` with another machine",
            why=f"asked for {wanted.node!r}, got {machine.node!r} (id {machine.id!r}, mark {its_mark!r})",
            next=_DOCS,
        )
    return machine


def our_machines(found: Mapping[str, Any], cluster: str, program: str) -> tuple[Machine, ...]:
    """The machines with the cluster's mark; what else the program lists is somebody else's. Raises CoreopsError."""
    listed = found.get("machines")
    if not isinstance(listed, list):
        raise _bad(program, "observe", f'"machines" must be a list, not {_shown(listed)}')
    ours: dict[str, Machine] = {}
    for item in listed:
        machine, its_mark = _machine(item, program, "observe")
        if its_mark != mark(cluster, machine.node):
            continue
        if (twin := ours.get(machine.node)) is not None:
            raise CoreopsError(
                f"two machines carry the mark of {machine.node}",
                where=machine.node,
                why=f"{program} lists {twin.id} and {machine.id}",
                next="find out which one is in use, and remove the other one by the provider's own means",
            )
        ours[machine.node] = machine
    return tuple(ours.values())


def host_keys(found: Mapping[str, Any], program: str) -> tuple[str, ...]:
    """The host keys of a machine. Raises CoreopsError."""
    keys = found.get("host_keys")
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise _bad(program, "host_keys", f'"host_keys" must be a list of texts, not {_shown(keys)}')
    return tuple(keys)


def _machine(found: Any, program: str, verb: str) -> tuple[Machine, str]:
    """A machine, and the mark it carries ("": none)."""
    if not isinstance(found, dict):
        raise _bad(program, verb, f"a machine must be an object, not {_shown(found)}")
    node, identity = (_word(found, key, program, verb) for key in ("node", "id"))
    state = found.get("state")
    if state not in _STATES:
        raise _bad(program, verb, f'"state" must be one of {", ".join(_STATES)}, not {_shown(state)}')
    addresses, more = (_texts(found, key, program, verb) for key in ("addresses", "facts"))
    for kind, address in addresses.items():
        if not _is_address(kind, address):
            raise _bad(program, verb, f'"{kind}": {_shown(address)} is none of: {", ".join(ADDRESSES)}')
    its_mark = found.get("mark", "")
    if not isinstance(its_mark, str):
        raise _bad(program, verb, f'"mark" must be a text, not {_shown(its_mark)}')
    return Machine(node, identity, state, addresses, more), its_mark


def _word(found: Mapping[str, Any], key: str, program: str, verb: str) -> str:
    value = found.get(key)
    if isinstance(value, str) and value and value.isprintable():
        return value
    raise _bad(program, verb, f'"{key}" must be a printable text, not {_shown(value)}')


def _texts(found: Mapping[str, Any], key: str, program: str, verb: str) -> dict[str, str]:
    value = found.get(key, {})
    if isinstance(value, dict) and all(isinstance(part, str) for part in value.values()):
        return value
    raise _bad(program, verb, f'"{key}" must be an object of texts, not {_shown(value)}')


def _is_address(kind: str, address: str) -> bool:
    try:
        (IPv4Address if kind.endswith("4") else IPv6Address)(address)
    except ValueError:
        return False
    return kind in ADDRESSES


def _bad(program: str, verb: str, why: str) -> Misunderstood:
    return Misunderstood(f"{program} answered `{verb}` with something else", why=why, next=_DOCS)


def _shown(value: object) -> str:
    """The beginning of what was said, on one line."""
    shown = repr(value.decode("utf-8", "backslashreplace")) if isinstance(value, bytes) else repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}… ({len(shown)} characters)"
