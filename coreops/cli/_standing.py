"""Asks the machines that coreops does not make whether they are there: the bridge from providers to the engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from coreops.errors import CoreopsError, ExitCode
from coreops.providers.registry import STATIC

if TYPE_CHECKING:
    from coreops.inventory import Inventory
    from coreops.provision.share import Survey
    from coreops.provision.standing import Answer


def asked(
    source: Path, surveys: Sequence[Survey], connection: Mapping[str, Any]
) -> tuple[tuple[Survey, ...], ExitCode]:
    """The surveys with what such machines answered, and what their state makes of the exit code. Raises InputError.

    source: the inventory, which is read with what was learned of machines: the address of an adopted one is there.
    """
    hosts = tuple(wanted.node for each in surveys if _is_static(each) for wanted in each.share.wanted)
    if not hosts:
        return tuple(surveys), ExitCode.DONE
    from coreops.identity.written import claims
    from coreops.inventory import load_inventory
    from coreops.provision.standing import standing
    from coreops.report.text import clean

    inventory = load_inventory(source)
    answers = _ask(inventory, hosts, connection)
    for host, answer in answers.items():
        if isinstance(answer, CoreopsError):
            shown = str(answer) if answer.where else f"{host}: {answer}"
            typer.echo(clean(f"coreops: {shown}"), err=True)
    told = {host: claims(inventory, host) for host in answers}
    done = tuple(
        replace(each, changes=standing(each.share.wanted, answers, told)) if _is_static(each) else each
        for each in surveys
    )
    words = {change.action for survey in done for change in survey.changes}
    return done, (
        ExitCode.UNREACHABLE if "unreachable" in words else ExitCode.FAILED if "duplicate" in words else ExitCode.DONE
    )


def _is_static(survey: Survey) -> bool:
    return survey.share.provider.name == STATIC


def _ask(inventory: Inventory, hosts: Sequence[str], connection: Mapping[str, Any]) -> dict[str, Answer]:
    """What each of them says of itself, or why it does not."""
    from coreops.engine.engine import Engine
    from coreops.engine.steps import StepsProgram
    from coreops.identity import identity
    from coreops.inventory import target
    from coreops.playbook.rendering import host_renderer

    keys = [Path(path) for path in connection["identity_files"]]
    known = {**connection, "identity_files": keys}
    targets = {host: target(inventory, host, render=host_renderer(inventory, host), **known) for host in hosts}
    programs = {host: StepsProgram([replace(identity.step(), ignore_errors=True)]) for host in hosts}
    with Engine(targets, lambda event: None, run="plan", reconnect=0.0) as engine:
        outcomes = engine.drive(programs)
    found: dict[str, Answer] = {}
    for host, outcome in outcomes.items():
        try:
            found[host] = outcome.error or identity.read(programs[host].records[identity.STEP], host)
        except CoreopsError as error:
            found[host] = error
    return found
