"""``strategy: linear``: the order of tasks over hosts, whoever is slow, fails or is lost; and where failures act."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from coreops.engine.program import Wait
from coreops.errors import InputError, InterruptedRun
from coreops.events import Event, TaskFinished
from coreops.model import Record, RecordState, Segment
from coreops.playbook import BoundPlay, HostProgram
from coreops.playbook.strategy import Behind, Free, Linear
from tests.playbook.driver import bound

HOSTS = "[store]\nn[1:4]\n"
State = Callable[[str, str], RecordState | None]


@dataclass
class World:
    """Drives all hosts of a batch in a random order, one record at a time. log: what began and ended, in order."""

    play: BoundPlay
    chance: random.Random
    state: State = lambda host, step: "ok"
    log: list[tuple[str, str, str]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    programs: dict[str, HostProgram] = field(default_factory=dict)

    def run(self) -> World:
        for batch in self.play.batches():
            self.batch(batch)
        return self

    def batch(self, batch: tuple[str, ...]) -> None:
        live = {host: self.play.program(host, batch) for host in batch}
        self.programs.update(live)
        sent: dict[str, list[str]] = {}
        idle = 0
        while live:
            host = self.chance.choice(sorted(live))
            program = live[host]
            idle = idle + 1
            assert idle < 1000, f"nobody moves: {sorted(live)}"
            if not sent.get(host):
                try:
                    segment = program.next() if program.failure is None else None
                except InterruptedRun as error:
                    program.abandon()
                    self.errors[host] = str(error)
                    segment = None
                if isinstance(segment, Wait):
                    assert segment.hosts <= live.keys(), "waits for one who has ended"
                    continue
                if segment is None:
                    del live[host]
                else:
                    self.begin(host, segment, sent)
            else:
                self.answer(host, program, sent, live)
            idle = 0

    def begin(self, host: str, segment: Segment, sent: dict[str, list[str]]) -> None:
        sent[host] = [step.id for step in segment.steps]
        assert len({task_of(id) for id in sent[host]}) == 1, "one task a segment"
        self.log.append(("begin", host, task_of(sent[host][0])))

    def answer(self, host: str, program: HostProgram, sent: dict[str, list[str]], live: dict[str, HostProgram]) -> None:
        id = sent[host].pop(0)
        state = self.state(host, id)
        if state is None:  # the connection is lost
            program.abandon()
            sent[host].clear()
            del live[host]
            return
        program.feed(Record(id, state))
        if state == "failed":
            sent[host].clear()
        if not sent[host]:
            self.log.append(("end", host, task_of(id)))

    def began(self, host: str) -> list[str]:
        return [task for what, who, task in self.log if (what, who) == ("begin", host)]

    def check_order(self) -> None:
        """Nobody begins a task while somebody is busy with an earlier one, or will still begin one."""
        for at, (what, host, task) in enumerate(self.log):
            if what != "begin":
                continue
            for later, other, other_task in self.log[at + 1 :]:
                assert other == host or rank(other_task) >= rank(task), (
                    f"{host} began {task} before {other} {later} {other_task}"
                )


def task_of(id: str) -> str:
    match = re.match(r"p0\.(facts|[th]\d+)", id)
    assert match
    return match[1]


def rank(task: str) -> tuple[int, int]:
    return (-1, 0) if task == "facts" else ("th".index(task[0]), int(task[1:]))


def world(tmp_path: Path, text: str, seed: int = 0, state: State = lambda host, step: "ok", **options: object) -> World:
    (play,) = bound(tmp_path, text, hosts=HOSTS, **options)
    return World(play, random.Random(seed), state).run()


KINDS = (
    "- command: c{n}\n  notify: {h}\n",
    "- command: l{n} {{{{ item }}}}\n  loop: [1, 2]\n",
    "- debug: msg=x\n",
    "- set_fact: s={n}\n",
    "- debug: msg={{{{ hostvars.n2.s | default('-') }}}}\n",
    "- command: w{n}\n  when: inventory_hostname != 'n{one}'\n",
    "- command: r{n}\n  register: r\n  ignore_errors: true\n",
    "- command: u{n}\n  when: hostvars.n1.r is defined and r is changed\n",
    "- meta: noop\n  when: inventory_hostname == 'n{one}'\n",
    "- meta: end_host\n  when: inventory_hostname == 'n{one}' and {n} > 8\n",
)


def random_play(chance: random.Random) -> str:
    tasks = "- command: first\n  register: r\n- set_fact: s=0\n"
    for n in range(10):
        tasks += chance.choice(KINDS).format(n=n, one=chance.randint(1, 4), h=chance.choice(["h1", "h2", "h3"]))
    body = "".join(f"    {line}\n" for line in tasks.splitlines())
    return (
        f"- hosts: store\n  strategy: linear\n  gather_facts: {chance.choice(['true', 'false'])}\n  tasks:\n{body}"
        "  handlers:\n    - name: h1\n      command: one\n    - name: h2\n      command: two\n      notify: h3\n"
        "    - name: h3\n      command: three\n"
    )


@pytest.mark.parametrize("seed", range(80))
def test_no_host_begins_a_task_before_all_have_finished_the_one_before(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    trouble = chance.random() < 0.5

    def state(host: str, id: str) -> RecordState | None:
        drawn = chance.random()
        if trouble and drawn < 0.06:
            return "failed" if drawn < 0.03 else None
        return "changed" if drawn < 0.6 else "ok"

    done = world(tmp_path, random_play(chance), seed, state)
    done.check_order()


@pytest.mark.parametrize("seed", range(10))
def test_without_it_hosts_run_free(tmp_path: Path, seed: int) -> None:
    text = "- hosts: store\n  tasks:\n    - command: a\n    - command: b\n"
    with pytest.raises(AssertionError, match="one task a segment"):
        world(tmp_path, text, seed)


SERIAL = """\
- hosts: store
  strategy: linear
  serial: 2
  tasks:
    - command: a
    - command: b
"""


def test_each_batch_keeps_its_own_step(tmp_path: Path) -> None:
    done = world(tmp_path, SERIAL)
    assert {host for _, host, _ in done.log[:8]} == {"n1", "n2"}
    assert all(done.began(host) == ["t0", "t1"] for host in ("n1", "n2", "n3", "n4"))


THREE = """\
- hosts: store
  strategy: linear
  {setting}
  tasks:
    - command: a
    - command: b
    - command: c
"""


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("how", ["failed", None])
def test_a_host_that_drops_out_does_not_block(tmp_path: Path, seed: int, how: RecordState | None) -> None:
    done = world(
        tmp_path,
        THREE.format(setting="vars: {}"),
        seed,
        lambda host, id: how if (host, id) == ("n3", "p0.t1") else "ok",
    )
    assert done.began("n3") == ["t0", "t1"]
    assert all(done.began(host) == ["t0", "t1", "t2"] for host in ("n1", "n2", "n4"))
    assert done.errors == {}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("how", ["failed", None])
@pytest.mark.parametrize("setting", ["any_errors_fatal: true", "max_fail_percentage: 24"])
def test_failures_act_at_the_border_of_the_task(
    tmp_path: Path, seed: int, how: RecordState | None, setting: str
) -> None:
    done = world(
        tmp_path, THREE.format(setting=setting), seed, lambda host, id: how if (host, id) == ("n3", "p0.t1") else "ok"
    )
    assert all(done.began(host) == ["t0", "t1"] for host in ("n1", "n2", "n3", "n4")), "all finish the task itself"
    assert sorted(done.errors) == ["n1", "n2", "n4"]
    assert all("stopped before task 'command'" in error for error in done.errors.values())
    why = "any_errors_fatal: n3 failed" if "any" in setting else "1 of 4 hosts failed, more than max_fail_percentage 24"
    assert why in done.errors["n1"]
    assert done.programs["n3"].failed_fatally == ("any" in setting)
    assert not done.programs["n1"].failed_fatally


def test_failures_within_the_budget_do_not_stop(tmp_path: Path) -> None:
    done = world(
        tmp_path,
        THREE.format(setting="max_fail_percentage: 25"),
        1,
        lambda host, id: "failed" if (host, id) == ("n3", "p0.t1") else "ok",
    )
    assert done.errors == {}


def test_a_task_may_be_fatal_by_itself(tmp_path: Path) -> None:
    text = """
    - hosts: store
      strategy: linear
      tasks:
        - command: a
          any_errors_fatal: true
        - command: b
    """
    done = world(tmp_path, text, 3, lambda host, id: "failed" if (host, id) == ("n1", "p0.t0") else "ok")
    assert sorted(done.errors) == ["n2", "n3", "n4"]
    assert done.programs["n1"].failed_fatally
    done = world(tmp_path, text, 3, lambda host, id: "failed" if (host, id) == ("n1", "p0.t1") else "ok")
    assert done.errors == {}
    assert not done.programs["n1"].failed_fatally


def test_an_error_on_one_host_alone_is_no_reason_to_wait_for_it(tmp_path: Path) -> None:
    text = """
    - hosts: store
      strategy: linear
      tasks:
        - command: a
        - debug: msg={{ nothing }}
          when: inventory_hostname == 'n2'
        - command: b
    """
    done = world(tmp_path, text)
    assert "nothing" in (done.programs["n2"].failure or "")
    assert done.began("n1") == ["t0", "t2"]


def test_handlers_of_a_flush_run_before_anybody_goes_on(tmp_path: Path) -> None:
    text = """
    - hosts: store
      strategy: linear
      tasks:
        - command: a
          notify: h
        - meta: flush_handlers
        - command: b
      handlers:
        - name: h
          command: handle
    """
    for seed in range(10):
        done = world(tmp_path, text, seed, lambda host, id: "changed" if host == "n2" else "ok")
        order = [(what, host, task) for what, host, task in done.log if task in ("h0", "t2")]
        assert order[:2] == [("begin", "n2", "h0"), ("end", "n2", "h0")]


def test_the_results_of_the_task_before_are_there_for_all(tmp_path: Path) -> None:
    events: list[Event] = []
    text = """
    - hosts: store
      strategy: linear
      tasks:
        - command: a
          register: r
        - debug: msg="{{ groups.store | map('extract', hostvars, ['r', 'rc']) | join(',') }}"
    """
    world(tmp_path, text, 5, emit=events.append)
    said = [e.result.message for e in events if isinstance(e, TaskFinished) and e.name == "debug"]
    assert said == ["0,0,0,0"] * 4


def test_a_value_that_comes_later_is_undefined_not_waited_for(tmp_path: Path) -> None:
    text = """
    - hosts: store
      strategy: linear
      tasks:
        - debug: msg={{ hostvars.n2.r.rc }}
          when: inventory_hostname == 'n1'
        - command: a
          register: r
    """
    done = world(tmp_path, text, 2)
    assert "'r'" in (done.programs["n1"].failure or "")
    assert done.began("n2") == ["t1"]


def test_facts_of_a_host_that_waits_are_gathered(tmp_path: Path) -> None:
    text = """
    - hosts: store
      strategy: linear
      tasks:
        - debug: msg={{ hostvars.n2.ansible_facts | length }}
          when: inventory_hostname == 'n1'
        - command: a
    """
    for seed in range(10):
        done = world(tmp_path, text, seed)
        assert "facts" in done.began("n2")


def test_end_play_ends_it_for_all_after_the_task_before(tmp_path: Path) -> None:
    text = """
    - hosts: store
      strategy: linear
      tasks:
        - command: a
        - meta: end_play
          when: inventory_hostname == 'n4'
        - command: b
    """
    for seed in range(10):
        done = world(tmp_path, text, seed)
        assert all(done.began(host)[0] == "t0" for host in ("n1", "n2", "n3", "n4"))


def test_unknown_strategies_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"play\.yml:2:13: unknown strategy 'linaer'\n  why: did you mean 'linear'\?"):
        bound(tmp_path, "- hosts: store\n  strategy: linaer\n")
    (play,) = bound(tmp_path, "- hosts: store\n  strategy: ansible.builtin.linear\n")
    assert play.play.strategy == "linear"


def test_free_never_holds_anybody_up() -> None:
    free = Free()
    free.enter("a")
    free.arrive("a", (3, -1))
    free.wait("a")
    assert (free.waits("a"), free.why_stop("a"), free.over) == (False, None, True)


def test_linear_waits_for_the_last_of_those_behind() -> None:
    step = Linear()
    for host in "abc":
        step.enter(host)
    step.arrive("a", (1, -1))
    with pytest.raises(Behind) as behind:
        step.wait("a")
    assert behind.value.host == "c"
    assert step.waits("a")
    assert not step.waits("b")
    step.leave("c")
    step.arrive("b", (1, 0))
    step.wait("a")
    with pytest.raises(Behind):
        step.wait("b")
    step.leave("a", failed=True)
    step.leave("a", failed=True, fatal=True)  # only the first time counts
    step.wait("b")
    assert step.why_stop("b") is None
    step.leave("b")
    assert step.over
