"""``coreops adopt [ADDRESS...]``: machines that are there become hosts of the inventory. Flags and wiring only."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.adoption.candidate import Candidate
    from coreops.adoption.decide import Proposal, Refused, Register
    from coreops.errors import CoreopsError
    from coreops.inventory import Inventory

Ended = tuple["Proposal | Refused", str, "CoreopsError | None"]
SHOWN = len("SHA256:") + 8


def adopt(
    machines: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME=]ADDRESS[:PORT]...", help="Where they are. None: those that registered."),
    ] = None,
    inventory: options.Inventory = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", metavar="FILE", help="Those that registered with `discovery serve`.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option("--cluster", metavar="CLUSTER", help="Of those, only this cluster's.")
    ] = None,
    group: Annotated[str, typer.Option("--group", "-g", metavar="GROUP", help="Where new hosts belong.")] = "",
    yes: Annotated[
        list[str] | None,
        typer.Option("--yes", metavar="SHA256:...", help="Do not ask for the machine with this host key; repeatable."),
    ] = None,
    check: options.Check = False,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    as_json: options.Json = False,
) -> int:
    """Show who machines are, and after you have compared their host keys make them hosts of the inventory.

    A machine that the inventory already names (by MAC address, or NAME=ADDRESS) gets its address and host keys beside
    the inventory; another one becomes a host in adopted/. Files that you wrote are not touched:

        coreops adopt -i inventories/prod 192.0.2.14

        coreops adopt -i inventories/prod --ledger discovery.db --group worker

        coreops adopt -i inventories/prod n4=192.0.2.14 --yes SHA256:6rUCTwEgtGKO93wIwZm4cE0lqKOc0nDuh4nFcyXVSeI
    """
    from coreops.adoption.decide import Refused, Register
    from coreops.adoption.survey import survey
    from coreops.cli._fleet import connection, source
    from coreops.errors import CoreopsError
    from coreops.inventory import load_inventory
    from coreops.inventory.machines import load_machines

    path = source(inventory)
    loaded = load_inventory(path)
    if group:
        loaded.members(group)
    register = Register.of(loaded, load_machines(loaded.base))
    candidates = _candidates(machines or [], ledger, cluster, register)
    if not candidates:
        typer.echo("nobody is there to be adopted", err=True)
        return 0
    ended: list[Ended] = []
    for one in survey(register, candidates, connection(user, key, transport, False, False)):
        if not as_json:
            for line in _shown(one, group):
                typer.echo(line, err=not check)
        try:
            ended.append((one, _adopt(one, path, loaded, group, None if check else yes or []), None))
        except CoreopsError as error:
            ended.append((one, "refused" if isinstance(one, Refused) else "left", error))
    return _print(ended, as_json)


def _adopt(one: Proposal | Refused, path: Path, inventory: Inventory, group: str, yes: Sequence[str] | None) -> str:
    """How it ended. yes None: nothing is written. Raises CoreopsError."""
    from coreops.adoption.decide import Refused
    from coreops.adoption.keep import keep
    from coreops.errors import InputError
    from coreops.provision import book

    if isinstance(one, Refused):
        raise one.error
    cluster = _cluster(inventory, one.host, group)
    if one.state == "new" and not path.is_dir():
        raise InputError(
            "an inventory that is one file takes no new hosts",
            where=path,
            next="name its folder with -i, or write the host into the file and adopt it as NAME=ADDRESS",
        )
    if one.state == "known" or yes is None:
        return "known" if one.state == "known" else "would be adopted"
    _confirm(one, yes)
    with book.opened(inventory.base) as kept:
        keep(one, inventory.base, kept, cluster=cluster, group=group)
    return "adopted"


def _candidates(said: Sequence[str], ledger: Path | None, cluster: str | None, register: Register) -> list[Candidate]:
    """Who is to be looked at. Raises InputError."""
    from coreops.adoption.candidate import read
    from coreops.adoption.waiting import waiting
    from coreops.errors import InputError

    if ledger is None and not said:
        raise InputError("no machine is named", next="give ADDRESS, or --ledger FILE for those that registered")
    if ledger is None and cluster is not None:
        raise InputError("--cluster is about those that registered", next="add --ledger FILE")
    there = waiting(ledger, cluster, register.known) if ledger is not None else ()
    if not said:
        return list(there)
    named = {each.address: each for each in there}
    wanted = [read(each) for each in said]
    return [replace(each, told=named[each.address].told) if each.address in named else each for each in wanted]


def _cluster(inventory: Inventory, host: str, group: str) -> str:
    """The cluster whose host it is by the inventory. Raises RefusedError for one that coreops makes itself."""
    from coreops.cli._provision import nodes
    from coreops.errors import RefusedError
    from coreops.inventory import Host
    from coreops.model import Position
    from coreops.providers.registry import STATIC

    made = inventory.hosts.get(host) or Host(host, Position("coreops adopt"), (group or "ungrouped",), {})
    node = nodes(replace(inventory, hosts={host: made}))[host]
    if node.record.name != STATIC:
        raise RefusedError(
            f"{host} is a machine that coreops makes",
            where=node.where,
            why=f"provider: {node.record.name}",
            next="coreops provision finds it by its mark; `provider: static` is for machines that are there already",
        )
    return node.cluster


def _confirm(one: Proposal, yes: Sequence[str]) -> None:
    """Raise RefusedError unless the operator knows the host key."""
    from coreops.errors import RefusedError

    shown = one.answer.shown.fingerprint
    if shown in yes:
        return
    if sys.stdin.isatty() and not yes:
        said = typer.prompt(
            f"compare it with what the console of {one.candidate} shows; type its first 8 characters after SHA256: to"
            f" adopt {one.host}, Enter to leave it",
            default="",
            show_default=False,
            err=True,
        )
        if len(said.strip().removeprefix("SHA256:")) >= 8 and shown.startswith(
            f"SHA256:{said.strip().removeprefix('SHA256:')}"
        ):
            return
        why = "it was not confirmed" if said.strip() else "you left it"
    else:
        why = "no --yes has its fingerprint" if yes else "nobody can be asked"
    raise RefusedError(
        f"{one.host} is not adopted",
        where=one.candidate,
        why=why,
        next=f"compare the fingerprint with the machine's console, then pass --yes {shown}",
    )


def _shown(one: Proposal | Refused, group: str) -> Iterator[str]:
    from coreops.adoption.decide import Refused
    from coreops.report.text import clean

    answer = one.answer
    yield clean(str(one.candidate))
    if answer is None:
        return
    trust = "in known_hosts already" if answer.known else "seen for the first time"
    if one.candidate.told is not None and one.candidate.told.keys and not isinstance(one, Refused):
        trust = "the one that it registered with"
    found = answer.identity
    rows = [
        ("machine-id", found.machine_id),
        ("host name", found.hostname),
        ("MAC", " ".join(found.macs)),
        ("system", found.version),
        ("host key", f"{answer.shown.fingerprint} ({answer.shown.type}), {trust}"),
    ]
    if not isinstance(one, Refused):
        said = {
            "new": f"a new host{f' of {group}' if group else ''}",
            "named": "a host of the inventory",
            "known": "known",
        }
        rows.append(("is", f"{one.host}, {said[one.state]} ({one.because})"))
        if one.replaces:
            rows.append(("instead of", f"machine-id {one.replaces}, which {one.host} was until now"))
    for name, value in rows:
        if value:
            yield clean(f"  {name:<11} {value}")


def _print(ended: Sequence[Ended], as_json: bool) -> int:
    """How each ended, on stdout; the errors on stderr. Returns the exit code."""
    from coreops.cli._fleet import as_json as line_of
    from coreops.cli._fleet import columns
    from coreops.report.text import clean

    if as_json:
        for one, state, error in ended:
            typer.echo(line_of("adopt", dict(_told(one, state, error))))
    else:
        rows = [(state, getattr(one, "host", "") or "-", str(one.candidate)) for one, state, _ in ended]
        for line in columns(rows):
            typer.echo(line)
    for one, _, error in ended:
        if error is not None:
            typer.echo(clean(f"coreops: {error}" if error.where else f"coreops: {one.candidate}: {error}"), err=True)
    codes = {int(error.exit_code) for _, _, error in ended if error is not None}
    return 0 if not codes else codes.pop() if len(codes) == 1 else 1


def _told(one: Proposal | Refused, state: str, error: CoreopsError | None) -> Iterator[tuple[str, Any]]:
    yield from (("address", str(one.candidate)), ("state", state), ("host", getattr(one, "host", None)))
    if one.answer is not None:
        found = one.answer.identity
        yield from (("machine_id", found.machine_id), ("hostname", found.hostname), ("macs", list(found.macs)))
        yield from (("version", found.version), ("host_key", one.answer.shown.line))
        yield from (("fingerprint", one.answer.shown.fingerprint), ("known", one.answer.known))
    if error is not None:
        yield "error", {"what": error.what, "where": error.where, "why": error.why, "next": error.next}
