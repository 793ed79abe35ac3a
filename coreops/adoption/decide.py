"""Which host of the inventory a machine is, or is to become; or why it must not be any. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from coreops.adoption.candidate import NAME, Answer, Candidate
from coreops.delivery.serving.machines import Machines
from coreops.errors import CoreopsError, RefusedError
from coreops.identity import written
from coreops.identity.identity import Identity
from coreops.identity.twins import Seen, twins
from coreops.inventory import Inventory
from coreops.inventory.aliases import ALIASES

State = Literal["new", "named", "known"]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A machine and the host that it is.

    state: "new": the inventory has no such host; "named": it has, and not this machine; "known": nothing to do.
    because: how the host was found. replaces: the machine-id that the host had.
    """

    candidate: Candidate
    answer: Answer
    host: str
    state: State
    because: str
    replaces: str = ""


@dataclass(frozen=True, slots=True)
class Refused:
    """A machine that must not be adopted, or could not be looked at."""

    candidate: Candidate
    error: CoreopsError
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """What is known before anybody is looked at. known: ``.coreops/machines.json``."""

    inventory: Inventory
    known: Mapping[str, Mapping[str, Any]] = field(repr=False)
    machines: Machines
    at: Mapping[str, str] = field(repr=False)
    """The hosts by the addresses that the operator has written."""

    @classmethod
    def of(cls, inventory: Inventory, known: Mapping[str, Mapping[str, Any]]) -> Register:
        """Raises InputError for an inventory that has one machine twice."""
        written.check(inventory)
        plain = inventory.as_written()
        at = {address: host for host in plain.hosts for address in written.claims(plain, host)}
        return cls(inventory, known, written.machines(inventory), at)

    def guess(self, candidate: Candidate) -> str:
        """The host that a candidate may be, so that it is reached as that host is; "" when there is none."""
        told = candidate.told or Identity()
        return next((host for _, host in self._signs(candidate, told) if host in self.inventory.hosts), "")

    def _signs(self, candidate: Candidate, identity: Identity) -> Iterator[tuple[str, str]]:
        """What speaks for which host, the strongest first."""
        if candidate.name:
            yield "you said so", candidate.name
        by_mac = self.machines.find(("mac", mac) for mac in identity.macs)
        for host in filter(None, (by_mac.node, by_mac.rival)):
            yield f"it has the {by_mac.by}", host
        for host, each in self.known.items():
            if identity.machine_id and each["id"] == identity.machine_id:
                yield f"its machine-id is known as {host}'s", host
        if candidate.port is None and candidate.address in self.at:
            yield "the inventory has it at this address", self.at[candidate.address]

    def decide(self, candidate: Candidate, answer: Answer) -> Proposal | Refused:
        """Say what a machine that answered is."""
        try:
            return self._decide(candidate, answer)
        except RefusedError as error:
            return Refused(candidate, error, answer)

    def _decide(self, candidate: Candidate, answer: Answer) -> Proposal:
        _as_told(candidate, answer)
        found = answer.identity
        signs = list(self._signs(candidate, found))
        because, host = signs[0] if signs else ("its host name", found.hostname)
        for why, other in signs:
            if other != host:
                raise RefusedError(
                    f"it is {host} and {other} at once",
                    where=candidate,
                    why=f"{host}: {because}; {other}: {why}",
                    next="correct the inventory, or say which with NAME=ADDRESS once only one speaks for itself",
                )
        if host not in self.inventory.hosts:
            self._may_be_called(candidate, host)
            return Proposal(candidate, answer, host, "new", because)
        self._is_there(candidate, host)
        old = self.known.get(host, {})
        before = str(old.get("id", ""))
        # what is behind a forwarded port keeps no address, but its host key
        learned = candidate.port is not None or candidate.address in old.get("addresses", {}).values()
        if answer.known and learned and before in (found.machine_id, "" if candidate.port else found.machine_id):
            return Proposal(candidate, answer, host, "known", because)
        replaced = "" if before == found.machine_id else before
        return Proposal(candidate, answer, host, "named", because, replaced)

    def _may_be_called(self, candidate: Candidate, host: str) -> None:
        taken = "a group of the inventory is called so" if host in self.inventory.groups else ""
        if not NAME.fullmatch(host) or host == "localhost" or taken:
            raise RefusedError(
                f"{host!r} cannot be the name of a host here" if host else "it has no host name",
                where=candidate,
                why=taken or None,
                next=f"say how it is to be called: NAME={candidate}",
            )

    def _is_there(self, candidate: Candidate, host: str) -> None:
        """Where the operator has written an address, the machine must be there."""
        settings = self.inventory.as_written().settings(host)
        for name in ALIASES["address"]:
            if (
                name in settings
                and str(settings[name].value) != candidate.address
                and "{" not in str(settings[name].value)
            ):
                raise RefusedError(
                    f"{host} is not at {candidate.address} by the inventory",
                    where=settings[name].position,
                    why=f"{name} is {settings[name].value}",
                    next="correct the inventory, or call the machine otherwise: NAME=ADDRESS",
                )


def _as_told(candidate: Candidate, answer: Answer) -> None:
    """Who registered must be who answers."""
    told, found = candidate.told, answer.identity
    if told is None:
        return
    if told.machine_id != found.machine_id:
        what, why = "another machine answers", f"{told.machine_id} registered, {found.machine_id} answers"
    elif told.keys and answer.shown not in told.keys:
        keys = ", ".join(key.fingerprint for key in told.keys)
        what, why = "it shows another host key than it registered with", f"{answer.shown.fingerprint}, not {keys}"
    else:
        return
    raise RefusedError(what, where=candidate, why=why, next="somebody may be in between: look at the machine's console")


def apart(found: Iterable[Proposal | Refused]) -> list[Proposal | Refused]:
    """Refuse machines that are one, or would be one host."""
    items = list(found)
    seen = [Seen(str(each.candidate), each.answer.identity) for each in items if isinstance(each, Proposal)]
    wrong: dict[str, tuple[str, str]] = {}
    for twin in twins(seen):
        said = (f"{twin.first} and {twin.second} have the same {twin.what}", f"{twin.value}: {twin.advice}")
        wrong |= {twin.first.host: said, twin.second.host: said}
    hosts: dict[str, str] = {}
    for each in items:
        if isinstance(each, Proposal):
            other = hosts.setdefault(each.host, str(each.candidate))
            if other != str(each.candidate):
                said = (f"{other} and {each.candidate} would both be {each.host}", "say who is who with NAME=ADDRESS")
                wrong = {other: said, str(each.candidate): said} | wrong
    return [
        Refused(each.candidate, RefusedError(said[0], where=each.candidate, why=said[1]), each.answer)
        if isinstance(each, Proposal) and (said := wrong.get(str(each.candidate), ("", ""))) != ("", "")
        else each
        for each in items
    ]
