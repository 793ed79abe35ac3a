"""The phase of ``coreops bootstrap`` that has nodes register: runs ``playbooks/registration.yml`` on all hosts."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from coreops.engine.engine import HostOutcome
from coreops.errors import CoreopsError, InterruptedRun, UnreachableError, counted
from coreops.events import Notice
from coreops.registration.settings import Node, Wanted
from coreops.store.nodes import Counter, together
from coreops.store.phases import Phase
from coreops.store.run import Run
from coreops.store.wanted import default_playbook

PLAYBOOK = "registration.yml"
NAME = "registry"


def phases(wanted: Wanted | None) -> tuple[Phase, ...]:
    """What bootstrap does after the store's phases; nothing without a store, or for no nodes."""
    if wanted is None or not wanted.nodes:
        return ()
    return (Phase("Register the nodes", _Registration(wanted), always=True),)


class _Registration:
    """Callable as a phase's work. Touches all hosts, also those beside the store; an unreachable one stops no other."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted

    def __call__(self, run: Run, stack: contextlib.ExitStack) -> str:
        from coreops.playbook import bind, load_playbook

        nodes = {node.host: node for node in self._wanted.nodes if self._chosen(run, node)}
        check = run.options.check
        counter = Counter(run.emit)
        bound = bind(
            load_playbook(_playbook(run.options.playbook)),
            run.inventory,
            extra_vars=self._variables(run),
            limit=",".join(nodes),
            check=check,
            diff=run.options.diff,
            emit=counter,
            prefix="registration.",
        )
        outcomes: dict[str, HostOutcome] = {}
        for play in bound:
            outcomes |= run.engine.drive({host: play.program(host, play.hosts) for host in play.hosts})
        run.further[NAME] = {
            "hosts": [host for host, node in nodes.items() if node.wanted and outcomes[host].state == "done"],
            "exchanges": {host: outcome.exchanges for host, outcome in outcomes.items()},
        }
        for mine, all_of_it in ((counter.ok, run.nodes.ok), (counter.changed, run.nodes.changed)):
            for host, number in mine.items():
                all_of_it[host] = all_of_it.get(host, 0) + number
        changed = {host: number for host, number in counter.changed.items() if number}
        run.changes += [f"{host}: {counted(number, 'task')} of {PLAYBOOK}" for host, number in changed.items()]
        _judge(run, nodes, outcomes)
        number = sum(node.wanted for node in nodes.values())
        said = ("would change " if check else "changed ") + ", ".join(changed) if changed else "nothing to change"
        return f"{counted(number, 'node')} under /coreops/nodes/: {said}"

    def _chosen(self, run: Run, node: Node) -> bool:
        return run.only is None or node.host in run.only

    def _variables(self, run: Run) -> Mapping[str, Any]:
        endpoints = [member.client_url for member in run.wanted.members]
        return {
            "registration_nodes": {
                node.host: {"wanted": node.wanted, "node": dict(node.said), "endpoints": endpoints}
                for node in self._wanted.nodes
            },
            "registration_pki": run.extra["etcd_pki"],
        }


def _playbook(store: Path) -> Path:
    """The one beside the playbook of the store, if the operator keeps own copies, else the one that coreops brings."""
    own = store.with_name(PLAYBOOK)
    return own if own.exists() else default_playbook().with_name(PLAYBOOK)


def _judge(run: Run, nodes: Mapping[str, Node], outcomes: Mapping[str, HostOutcome]) -> None:
    """One error for all hosts that did not register. One that is not to register only has to be told of."""
    bad: dict[str, CoreopsError] = {}
    for host, outcome in outcomes.items():
        if outcome.error is None:
            continue
        if not nodes[host].wanted and isinstance(outcome.error, UnreachableError):
            run.emit(Notice("not reached; if it was registered once, it still is", host=host))
            continue
        bad[host] = outcome.error
    for kind in (InterruptedRun, UnreachableError, CoreopsError):
        hosts: Sequence[str] = [host for host, error in bad.items() if isinstance(error, kind)]
        if hosts:
            raise together(hosts, bad[hosts[0]])
