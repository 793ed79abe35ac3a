"""``coreops bootstrap INVENTORY``: an etcd cluster on the hosts of the group store, then what else the inventory wants.
Flags and wiring only.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.store.run import Result


def bootstrap(
    inventory: Annotated[Path, typer.Argument(envvar="COREOPS_INVENTORY", help="Inventory file or folder.")],
    check: options.Check = False,
    diff: options.Diff = False,
    limit: options.Limit = None,
    prune: Annotated[
        bool, typer.Option("--prune", help="Remove members and nodes that are not in the inventory.")
    ] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Then run the shipped tests against the nodes.")] = False,
    rotate_tokens: Annotated[
        bool, typer.Option("--rotate-tokens", help="Have the scheduler make new tokens and keys, where it can.")
    ] = False,
    playbook: Annotated[
        Path | None, typer.Option("--playbook", metavar="FILE", help="Your own copy of playbooks/bootstrap.yml.")
    ] = None,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    ask_become_pass: options.AskBecomePass = False,
    forks: options.Forks = None,
    as_json: options.Json = False,
    verbose: options.Verbose = 0,
    junit: options.Junit = None,
) -> int:
    """Take the hosts of the group store to a healthy etcd cluster, or a cluster to what the inventory says.

    After that every host of the inventory keeps its record in the store (see coreops nodes), but those with
    node_registry: false. Where the inventory has a scheduler, it is installed and joined on all hosts that take part.

    Certificates are kept in pki/ beside the inventory; ca.key stays on this machine. Run it again whenever something
    changed, or when it was interrupted:

        coreops bootstrap inventories/lab

        coreops bootstrap inventories/lab --check --diff
    """
    from coreops.cli._lookups import fresh
    from coreops.cli._run import _ask_password, _transport
    from coreops.engine.interrupt import Interrupts
    from coreops.engine.journal import Journal, RunInfo
    from coreops.inventory import load_inventory
    from coreops.registration import phase as registration
    from coreops.registration import settings as registry
    from coreops.report import choose, compose
    from coreops.schedulers import install, phases
    from coreops.store.bootstrap import bootstrap as run
    from coreops.store.run import Options
    from coreops.store.wanted import default_playbook

    connection: dict[str, Any] = {
        "user": user,
        "identity_files": [key] if key else [],
        "transport": _transport(transport),
        "accept_new": accept_new,
        "become_password": _ask_password() if ask_become_pass else None,
    }
    source, store = fresh(inventory), playbook or default_playbook()
    loaded = load_inventory(source)
    scheduler = install.prepare(loaded, connection, store, rotate=rotate_tokens)
    registered = registry.read(loaded, connection)
    journal = Journal.start(RunInfo("bootstrap", {"inventory": str(inventory), "check": check, "prune": prune}, ""))
    report = choose(json=as_json, verbose=verbose, junit=junit, run_dir=journal.path, diffs=diff)
    with compose(journal, report) as emit:
        result = run(
            Options(
                inventory=source,
                playbook=store,
                run=journal.id,
                check=check,
                diff=diff,
                limit=limit,
                prune=prune,
                verify=verify,
                forks=forks,
                journal=journal,
                connection=connection,
                loaded=loaded,
                beside={
                    **(registered.targets if registered else {}),
                    **(scheduler.wanted.targets if scheduler else {}),
                },
                leaves=(
                    *(registered.leaves if registered else ()),
                    *(scheduler.wanted.scheduler.certificates() if scheduler else ()),
                ),
            ),
            emit,
            around=lambda engine: Interrupts(engine, emit),
            more=(*registration.phases(registered), *(phases.of(scheduler) if scheduler else ())),
        )
    _print(result, as_json)
    return 0


def _print(result: Result, as_json: bool) -> None:
    """The result, on stdout."""
    from coreops.errors import counted

    if as_json:
        import json
        from dataclasses import asdict

        print(json.dumps({"event": "bootstrap", **asdict(result)}))
        return
    if result.check:
        lines = [f"would: {change}" for change in result.changes] or ["nothing would change"]
        print("\n".join(lines))
        return
    exchanges = max(result.exchanges.values(), default=0)
    members = counted(len(result.endpoints), "member")
    done = "done" if result.changes else "nothing to change"
    print(f"etcd {result.version}, {members}: {done} ({result.seconds:.1f} s, {counted(exchanges, 'exchange')} a host)")
    for endpoint in result.endpoints:
        print(f"  {endpoint}")
    for stray in result.strays:
        print(f"  not in the inventory: {stray} (--prune removes it)")
    if scheduler := result.further.get("scheduler"):
        leader = f", leader {scheduler['leader']}" if scheduler["leader"] else ""
        print(f"{scheduler['name']}, {counted(len(scheduler['nodes']), 'node')}{leader}")
        for stray in scheduler["strays"]:
            print(f"  not in the inventory: {stray} (--prune removes it)")
        for what in scheduler["rotated"]:
            print(f"  new: {what}")
    print(f"on a node:         {result.commands['node']}")
    print(f"from this machine: {result.commands['here']}")
