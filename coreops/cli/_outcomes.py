"""How changes and outcomes of machines look, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import typer

from coreops.cli._fleet import as_json, columns
from coreops.report.text import clean

if TYPE_CHECKING:
    from coreops.provision.outcome import Outcome
    from coreops.provision.share import Survey

_NAMED = 10


def print_changes(surveys: Sequence[Survey], *, calls: bool, as_json_: bool) -> None:
    """Every change, on stdout; with ``calls``, what would be called."""
    if as_json_:
        for survey in surveys:
            for change in survey.changes:
                more = {"provider": survey.share.provider.name, "cluster": survey.share.cluster}
                typer.echo(as_json("change", {**_fields(change, "node", "action", "why", "calls"), **more}))
        return
    changes = [change for survey in surveys for change in survey.changes]
    lines = columns([(each.action, each.node, each.why) for each in changes])
    for change, line in zip(changes, lines, strict=True):
        typer.echo(line)
        for call in change.calls if calls else ():
            typer.echo(f"    {clean(call)}")


def print_outcomes(outcomes: Sequence[Outcome], *, as_json_: bool) -> int:
    """How each machine ended, on stdout, the failures on stderr too; returns the exit code."""
    if as_json_:
        for each in outcomes:
            typer.echo(as_json("machine", dict(_told(each))))
    else:
        for line in columns([_row(each) for each in outcomes]):
            typer.echo(line)
    for line in _errors(outcomes):
        typer.echo(clean(f"coreops: {line}"), err=True)
    return int(any(each.state == "failed" for each in outcomes))


def _errors(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Each error once: a thousand nodes with one wrong image are one mistake."""
    shown: dict[tuple[str | None, ...], list[Outcome]] = {}
    for each in outcomes:
        if (error := each.error) is not None:
            what = error.what.replace(each.node, "NODE")
            shown.setdefault((what, error.why, (error.next or "").replace(each.node, "NODE")), []).append(each)
    for same in shown.values():
        error = same[0].error
        text = str(error) if error and error.where else f"{same[0].node}: {error}"
        names = [each.node for each in same[1:]]
        more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
        yield text + (f"\n  also: {', '.join(names[:_NAMED])}{more}" if names else "")


def _row(each: Outcome) -> tuple[str, ...]:
    machine = each.machine
    addresses = " ".join(machine.addresses.values()) if machine else ""
    return each.state, each.node, machine.id if machine else "-", addresses


def _told(each: Outcome) -> Iterator[tuple[str, Any]]:
    yield from (("node", each.node), ("state", each.state))
    if each.machine is not None:
        yield from _fields(each.machine, "id", "addresses").items()
    if each.error is not None:
        yield "error", {k: v for k, v in _fields(each.error, "what", "where", "why", "next").items() if v is not None}


def _fields(thing: object, *names: str) -> dict[str, Any]:
    return {name: getattr(thing, name) for name in names}
