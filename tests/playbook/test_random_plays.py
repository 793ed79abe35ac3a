"""Random plays on random nodes: nothing runs twice, nothing is left out, results come in task order, nobody hangs."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from coreops.engine.program import Wait
from coreops.events import Event, TaskFinished
from coreops.model import Record, RecordState, Segment
from coreops.playbook import HostProgram
from tests.playbook.driver import bound

KINDS = (
    "- command: c{n}\n  notify: h\n",
    "- command: l{n} {{{{ item }}}}\n  loop: [1, 2, 3]\n  register: r{n}\n  when: item != {one}\n",
    "- set_fact: s={n}\n",
    "- debug: msg={{{{ s }}}}\n",
    "- command: r{n}\n  register: r\n",
    "- command: u{n}\n  when: r is changed\n",
    "- command: i{n}\n  ignore_errors: true\n  register: r\n",
    "- command: w{n}\n  register: r\n  until: r is changed\n  retries: 2\n  ignore_errors: true\n",
    "- command: f{n}\n  failed_when: r is failed and {flag}\n  ignore_errors: {flag}\n",
    "- debug: msg={{{{ hostvars.n2.s }}}}\n",
    "- meta: flush_handlers\n",
)


def playbook(chance: random.Random) -> str:
    tasks = "- set_fact: s=0\n- command: first\n  register: r\n"
    for n in range(12):
        flag = chance.choice(["true", "false"])
        tasks += chance.choice(KINDS).format(n=n, one=chance.choice([1, 2, 9]), flag=flag)
    body = "".join(f"    {line}\n" for line in tasks.splitlines())
    handlers = "  handlers:\n    - name: h\n      command: handle\n"
    return f"- hosts: store\n  gather_facts: false\n  tasks:\n{body}{handlers}"


def answer(program: HostProgram, segment: Segment, chance: random.Random, ran: list[str]) -> None:
    """Answer some or all of a segment; what is not answered was never run."""
    states: list[RecordState] = ["ok", "changed", "failed"] if chance.random() < 0.5 else ["ok", "changed"]
    for step in segment.steps:
        if chance.random() < 0.03:
            return
        ran.append(step.id)
        state = chance.choice(states)
        program.feed(Record(step.id, state))
        if state == "failed" and not step.ignore_errors:
            return


@pytest.mark.parametrize("seed", range(60))
def test_random_play(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    events: list[Event] = []
    (play,) = bound(tmp_path, playbook(chance), emit=events.append, check=chance.random() < 0.2)
    programs = {host: play.program(host, play.hosts) for host in play.hosts}
    ran: dict[str, list[str]] = {host: [] for host in programs}
    live = dict(programs)
    for _ in range(400):
        for host, program in list(live.items()):
            segment = program.next()
            if segment is None:
                del live[host]
            elif not isinstance(segment, Wait):
                answer(program, segment, chance, ran[host])
    assert not live
    for host, program in programs.items():
        steps = [id for id in ran[host] if not id.endswith(".d")]
        assert len(steps) == len(set(steps))
        finished = [event.task for event in events if isinstance(event, TaskFinished) and event.host == host]
        order = [int(id.split(".")[1][1:]) for id in finished if ".t" in id]
        assert order == sorted(order)
        if program.failure is None:
            flushes = {task.index for task in play.tasks if task.meta}
            assert set(order) == {task.index for task in play.tasks} - flushes
