"""``coreops run PLAYBOOK``: flags and wiring only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from coreops.cli import _options as options


def run(
    playbook: Annotated[
        Path | None, typer.Argument(help="The playbook, or the name of a shipped one. Not needed with --resume.")
    ] = None,
    inventory: options.Inventory = None,
    check: options.Check = False,
    diff: options.Diff = False,
    limit: options.Limit = None,
    tags: options.Tags = None,
    skip_tags: options.SkipTags = None,
    extra_vars: options.ExtraVars = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an earlier run where it ended.")] = False,
    run_id: Annotated[str, typer.Option("--run", metavar="ID", help="Which run to resume.")] = "last",
    ask_become_pass: options.AskBecomePass = False,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds a step may take.")] = 600,
    forks: options.Forks = None,
    junit: options.Junit = None,
    as_json: options.Json = False,
    verbose: options.Verbose = 0,
) -> int:
    """Run a playbook: every host works through its tasks by itself; barriers stand only where the playbook has them.

    coreops run site.yml -i inventories/prod --check --diff

    coreops run site.yml -l 'store:!n3' -e version=3.5.21

    coreops run toolbox.yml -e toolbox_archive=toolbox.tar -e toolbox_sha256=HEX

    coreops run --resume
    """
    from coreops.cli._run import Reach
    from coreops.engine.journal import Journal

    given = extra_vars or []
    arguments: dict[str, Any] = {
        "playbook": str(playbook) if playbook else None,
        "inventory": str(inventory) if inventory else None,
        "check": check,
        "diff": diff,
        "limit": limit,
        "tags": tags or [],
        "skip_tags": skip_tags or [],
        # What was typed may be a secret: the journal keeps names of files only, and resume asks for the rest again.
        "extra_vars": [text for text in given if text.startswith("@")],
        "extra_typed": any(not text.startswith("@") for text in given),
        "timeout": timeout,
    }
    journal: Journal | None = None
    expected = ""
    if resume:
        journal, info = Journal.resume(run_id, "run")
        arguments, expected = dict(info.arguments), info.fingerprint
    reach = Reach(user, key, transport, accept_new, ask_become_pass, forks)
    return _run(arguments, given, reach, journal, expected, junit=junit, as_json=as_json, verbose=verbose)


def _run(
    arguments: Mapping[str, Any],
    typed: Sequence[str],
    reach: Any,
    journal: Any,
    expected: str,
    *,
    junit: Path | None,
    as_json: bool,
    verbose: int,
) -> int:
    from dataclasses import replace

    from coreops.cli._run import fingerprint, note_resume, running
    from coreops.cli.inventory import load
    from coreops.engine.journal import Journal, RunInfo
    from coreops.engine.plays import run_plays
    from coreops.errors import InputError
    from coreops.events import Notice
    from coreops.playbook import bind, load_playbook, parse_extra_vars, preflight
    from coreops.playbook.shipped import meant
    from coreops.report import choose, compose

    if arguments["playbook"] is None:
        raise InputError("no playbook given", next="coreops run PLAYBOOK -i INVENTORY")
    path = meant(Path(arguments["playbook"]))
    source = arguments["inventory"]
    loaded = load(Path(source) if source else None).with_playbook_dir(path.parent)
    playbook = load_playbook(path)
    extra = parse_extra_vars(dict.fromkeys([*arguments["extra_vars"], *typed]))
    relay = _Relay()
    plays = bind(
        playbook,
        loaded,
        extra_vars=extra,
        tags=arguments["tags"],
        skip_tags=arguments["skip_tags"],
        limit=arguments["limit"],
        check=arguments["check"],
        diff=arguments["diff"],
        emit=relay,
        timeout=arguments["timeout"],
    )
    _refuse(preflight(plays))
    hosts = tuple(dict.fromkeys(host for play in plays for host in play.hosts))
    if not hosts:
        raise InputError("no host matches", where=path, next="look at hosts: and --limit; coreops inventory list")
    read = fingerprint(path.read_text(), extra, hosts, arguments["tags"], arguments["skip_tags"])
    if journal is None:
        journal = Journal.start(RunInfo("run", arguments, read))
    elif read != expected:
        why = "the playbook, its variables or its hosts changed since then"
        again = "give the same --extra-vars again, or " if arguments["extra_typed"] and not typed else ""
        raise InputError(f"cannot resume run {journal.id}", where=path, why=why, next=f"{again}run the playbook anew")
    become = {host: any(play.become for play in plays if host in play.hosts) for host in hosts}
    report = choose(json=as_json, verbose=verbose, junit=junit, run_dir=journal.path)
    with compose(journal, report) as emit:
        relay.emit = emit
        with running(
            "run", loaded, hosts, replace(reach, become=become), emit, journal, check=arguments["check"]
        ) as opened:
            outcome = run_plays(opened.engine, plays, emit)
            opened.ended(outcome.hosts, outcome.exit_code)
            for text in (outcome.stopped, note_resume(journal, opened.exit_code)):
                if text:
                    emit(Notice(text))
    return opened.exit_code


class _Relay:
    """Lets plays be bound before the report they emit to is open."""

    emit: Any = staticmethod(lambda event: None)

    def __call__(self, event: Any) -> None:
        self.emit(event)


def _refuse(mistakes: Sequence[Any]) -> None:
    """Raise the only mistake, or one error that lists them all."""
    from coreops.errors import InputError

    if len(mistakes) == 1:
        raise mistakes[0]
    if mistakes:
        listed = "\n".join(str(mistake) for mistake in mistakes)
        raise InputError(f"{len(mistakes)} mistakes; nothing was touched\n{listed}")
