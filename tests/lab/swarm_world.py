"""A lab's swarm, as the conformance suite of all schedulers acts on it: through scripts on its nodes, n1 to n4."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from coreops.engine.engine import Engine
from coreops.engine.steps import StepsProgram
from coreops.inventory import load_inventory
from coreops.model import Record, ShellStep
from coreops.schedulers import settings
from coreops.schedulers.protocol import Scheduler
from tests.lab.swarm import IMAGE

NODES = ("n1", "n2", "n3", "n4")
CLEAN = """
services=$(docker service ls -q); [ -z "$services" ] || docker service rm $services
for node in n1 n2 n3 n4; do
    marks=''
    for label in cordon drain token; do
        case $(docker node inspect "$node" --format '{{json .Spec.Labels}}') in
            *coreops.$label*) marks="$marks --label-rm coreops.$label" ;;
        esac
    done
    docker node update --availability active $marks "$node"
done
"""
EMPTY = 'while ids=$(docker ps -q) && [ -n "$ids" ]; do docker kill $ids; sleep 0.5; done'
START = """
open=$(docker node ls --format '{{.Hostname}} {{.Availability}}' | sed -n 's/ Active$//p' | grep -vx "$HOST")
for node in $open; do docker node update --availability pause "$node"; done
if [ "$STUBBORN" = yes ]; then
    docker service create --detach --no-resolve-image --name "$NAME" --stop-grace-period 60s "$IMAGE" \
        /bin/sh -c 'trap true TERM; while true; do sleep 1; done'
else
    docker service create --detach --no-resolve-image --name "$NAME" --init "$IMAGE" /bin/sleep 1000
fi
until docker service ps "$NAME" --format '{{.Node}} {{.CurrentState}}' | grep -q "^$HOST Running"; do sleep 0.5; done
for node in $open; do docker node update --availability active "$node"; done
"""
LET_GO = """
for id in $(docker ps -q); do
    case $(docker inspect -f '{{.Args}}' "$id") in *trap*) docker kill "$id" ;; esac
done
"""


class World:
    """The lab's swarm, as the conformance suite acts on it."""

    node, other = "n4", "n3"

    def __init__(self, folder: Path) -> None:
        wanted = settings.read(load_inventory(folder), {})
        assert wanted is not None
        self.scheduler: Scheduler = wanted.scheduler
        self.engine = Engine(wanted.targets, lambda event: None, run="conformance")
        self.count = 0
        self.tokens = [self.sh("n1", f"docker swarm join-token -q {role}").strip() for role in ("worker", "manager")]

    def sh(self, host: str, script: str, **env: str) -> str:
        """A script on a host, over a connection that stays."""
        record = self.run(host, ShellStep(id="own", title="own", act=script, env=env, timeout=180.0))
        assert record.state == "changed", record.stderr.decode()
        return record.stdout.decode()

    def clean(self) -> World:
        """As it was: nothing runs, every node is open, no mark is left."""
        self.sh("n1", CLEAN)
        for node in NODES:
            self.sh(node, EMPTY)
        return self

    def run(self, host: str, step: ShellStep) -> Record:
        self.count += 1
        own = replace(step, id=f"{step.id}-{self.count}", ignore_errors=True)
        program = StepsProgram([own], id=f"c{self.count}")
        outcome = self.engine.drive({host: program})[host]
        assert outcome.error is None, outcome.error
        return replace(program.records[own.id], step=step.id)

    def tick(self) -> None:
        self.sh("n1", "sleep 0.3")

    def start(self, host: str, stubborn: bool = False) -> str:
        name = f"task{self.count}"
        self.sh("n1", START, HOST=host, NAME=name, IMAGE=IMAGE, STUBBORN="yes" if stubborn else "no")
        return name

    def let_go(self) -> None:
        for node in NODES:
            self.sh(node, LET_GO)

    def running(self, host: str) -> int:
        return len(self.sh(host, "docker ps -q").split())

    def open(self, host: str) -> bool:
        return self.sh("n1", f"docker node inspect -f '{{{{.Spec.Availability}}}}' {host}").strip() == "active"

    def close(self, host: str) -> None:
        self.sh("n1", f"docker node update --availability pause {host}")

    def kill(self, host: str) -> None:
        raise AssertionError("too slow for a test in a row")

    def secrets(self) -> Sequence[str]:
        return self.tokens
