"""How many segments a play makes, what is in them, and what results mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.model import Record, ShellStep
from tests.playbook.driver import bound, changing, exchange, failing, run


def test_tasks_without_dependencies_are_one_segment(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - file: path=/etc/a state=directory
            - copy: {dest: /etc/a/b, content: "{{ port }}"}
            - command: echo hi
              register: said
            - command: echo ho
        """,
    )
    assert done.ids() == [["p0.t0", "p0.t1", "p0.t2", "p0.t3"]]
    assert done.counts["n1"] == {"ok": 4, "changed": 0, "failed": 0, "skipped": 0}


def test_a_look_at_a_registered_result_cuts(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              register: first
            - command: two
              when: first is defined
            - command: three
              when: first.stdout == "x"
            - command: four
              when: first is changed
        """,
        lambda host, step: "x",
    )
    assert done.ids() == [["p0.t0", "p0.t1"], ["p0.t2"]]
    assert done.results()["command"].skipped


@pytest.mark.parametrize(
    "use", ["debug: msg={{ r.rc }}", "debug: var=r", "set_fact: x={{ r }}", "command: echo {{ r.stdout }}"]
)
def test_every_way_to_look_cuts(tmp_path: Path, use: str) -> None:
    done = run(
        tmp_path, f"- hosts: store\n  tasks:\n    - command: one\n      register: r\n    - {use}\n    - command: z\n"
    )
    assert len(done.ids()) == 2
    assert done.ids()[0] == ["p0.t0"]
    assert done.ids()[1][-1] == "p0.t2"


def test_changed_when_does_not_cut_and_failed_when_does(tmp_path: Path) -> None:
    playbook = """
        - hosts: store
          tasks:
            - command: one
              register: r
              {0}: "'x' in r.stdout"
            - command: two
        """
    assert len(run(tmp_path, playbook.format("changed_when")).ids()) == 1
    done = run(tmp_path, playbook.format("failed_when"))
    assert done.ids() == [["p0.t0"], ["p0.t1"]]
    failed = run(tmp_path, playbook.format("failed_when"), lambda host, step: "x")
    assert failed.ids() == [["p0.t0"]]
    assert "failed_when holds" in (failed.failure["n1"] or "")


def test_constant_failed_when_false_does_not_cut(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              failed_when: false
              changed_when: false
            - command: two
        """,
        failing("p0.t0"),
    )
    assert done.ids() == [["p0.t0", "p0.t1"]]
    assert done.counts["n1"]["ok"] == 2


def test_facts_are_gathered_by_name(tmp_path: Path) -> None:
    playbook = """
        - hosts: store
          tasks:
            - command: one
            - debug: var=ansible_facts.hostname
            - debug: msg="{{ ansible_hostname }} {{ facts.hostname }}"
        """
    done = run(tmp_path, playbook, lambda host, step: None)
    assert done.ids()[0] == ["p0.t0", "p0.facts"]
    assert len(done.ids()) == 1


def test_facts_come_along_with_an_exchange_that_must_end_anyway(tmp_path: Path) -> None:
    playbook = """
        - hosts: store
          tasks:
            - command: one
              register: r
            - debug: msg="{{ r.rc }} {{ ansible_facts | length }}"
        """
    assert run(tmp_path, playbook).ids() == [["p0.t0", "p0.facts"]]


def test_gather_facts_true_goes_into_the_first_segment(tmp_path: Path) -> None:
    done = run(tmp_path, "- hosts: store\n  gather_facts: true\n  tasks:\n    - command: one\n")
    assert done.ids() == [["p0.facts", "p0.t0"]]


def test_gather_facts_false_leaves_facts_undefined(tmp_path: Path) -> None:
    done = run(tmp_path, "- hosts: store\n  gather_facts: false\n  tasks:\n    - debug: msg={{ ansible_hostname }}\n")
    assert "gather_facts: false" in (done.failure["n1"] or "")


def test_connection_variables_do_not_gather(tmp_path: Path) -> None:
    done = run(tmp_path, "- hosts: store\n  tasks:\n    - debug: msg={{ ansible_user | default('nobody') }}\n")
    assert done.ids() == []
    assert done.said() == ["nobody"]


def test_a_failed_task_ends_the_host_and_handlers_do_not_run(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              notify: h
            - command: two
            - command: three
          handlers:
            - name: h
              command: handle
        """,
        lambda host, step: Record(step.id, "failed" if step.id == "p0.t1" else "changed", stderr=b"boom"),
    )
    assert done.ids() == [["p0.t0", "p0.t1", "p0.t2"]]
    failure = done.failure["n1"] or ""
    assert "boom" in failure
    assert "play.yml:6:7" in failure
    assert done.counts["n1"] == {"ok": 1, "changed": 1, "failed": 1, "skipped": 0}


def test_ignored_failures_go_on_in_the_same_segment(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              ignore_errors: true
              register: r
            - command: two
            - debug: msg={{ r is failed }}
        """,
        failing("p0.t0"),
    )
    assert done.ids() == [["p0.t0", "p0.t1"]]
    assert done.said() == ["true"]
    assert done.tasks()[0].ignored
    assert done.counts["n1"]["failed"] == 0


def test_what_was_begun_after_a_broken_ignored_task_is_taken_back_and_sent_again(tmp_path: Path) -> None:
    playbook = """
        - hosts: store
          tasks:
            - copy: {src: tree/, dest: /etc/tree}
              ignore_errors: true
              register: tree
            - set_fact: after=1
            - command: two
              register: two
            - debug: msg="{{ tree is failed }} {{ after }} {{ two.stdout }}"
        """
    files = {"files/tree/a": "a", "files/tree/b": "b"}
    done = run(tmp_path, playbook, lambda host, step: "out", files=files)
    many = done.ids()[0][:-1]
    assert len(many) > 1, "this test wants a task of several steps"
    broken = run(
        tmp_path,
        playbook,
        lambda host, step: Record(step.id, "failed", stderr=b"x") if step.id == many[0] else "out",
        files=files,
    )
    assert broken.ids() == [[*many, "p0.t2"], ["p0.t2"]]
    assert broken.said() == ["True 1 out"]
    assert [event.name for event in broken.tasks()] == ["copy", "set_fact", "command", "debug"]


def test_events_come_in_task_order(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
            - debug: msg=between
            - command: two
        """,
    )
    assert [event.task for event in done.tasks()] == ["p0.t0", "p0.t1", "p0.t2"]
    assert done.ids() == [["p0.t0", "p0.t2"]]


def test_until_retries_with_a_delay_on_the_node(tmp_path: Path) -> None:
    tries = iter(["no", "no", "yes"])

    def answer(host: str, step: object) -> str | None:
        assert isinstance(step, ShellStep)
        return "" if step.id.endswith(".d") else next(tries)

    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              register: r
              until: r.stdout == "yes"
              retries: 5
              delay: 2
            - debug: msg={{ r.attempts }}
        """,
        answer,
    )
    assert done.ids() == [["p0.t0"], ["p0.t0.r1.d", "p0.t0.r1"], ["p0.t0.r2.d", "p0.t0.r2"]]
    pause = done.segments["n1"][1].steps[0]
    assert isinstance(pause, ShellStep)
    assert pause.probe == "sleep 2"
    assert done.said() == ["3"]


def test_until_that_never_holds_fails(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "- hosts: store\n  tasks:\n    - command: one\n      register: r\n      until: r.rc == 9\n      retries: 1\n",
    )
    assert len(done.ids()) == 2
    assert "2 attempts" in (done.failure["n1"] or "")


def test_unanswered_steps_are_sent_again(tmp_path: Path) -> None:
    (play,) = bound(
        tmp_path,
        """
        - hosts: n1
          tasks:
            - command: one
              register: r
            - set_fact: a=1
            - command: two
            - command: three
        """,
    )
    program = play.program("n1", ("n1",))
    first = program.next()
    assert first is not None
    program.feed(Record("p0.t0", "ok"))  # type: ignore[arg-type]
    again = program.next()
    assert [step.id for step in again.steps] == ["p0.t2", "p0.t3"]  # type: ignore[union-attr]
    exchange("n1", again, program, None)  # type: ignore[arg-type]
    assert program.next() is None
    assert program.counts["ok"] == 4


def test_an_undefined_variable_stops_before_anything_is_sent(tmp_path: Path) -> None:
    done = run(tmp_path, "- hosts: store\n  tasks:\n    - command: one\n    - command: echo {{ prot }}\n")
    assert done.ids() == []
    failure = done.failure["n1"] or ""
    assert "'prot' is not defined" in failure
    assert "play.yml:4:16" in failure
    assert "'port'" in failure
    assert "n1" in failure


def test_end_host_and_end_play(tmp_path: Path) -> None:
    playbook = """
        - hosts: store
          tasks:
            - command: one
            - meta: {0}
              when: port == 1
            - command: two
        """
    done = run(tmp_path, playbook.format("end_host"), limit=None)
    assert [done.ids("n1"), done.ids("n2")] == [[["p0.t0"]], [["p0.t0", "p0.t2"]]]
    assert run(tmp_path, playbook.format("noop")).ids() == [["p0.t0", "p0.t2"]]
    assert run(tmp_path, playbook.format("end_play"), limit=None).ids("n1") == [["p0.t0"]]


def test_task_level_any_errors_fatal_is_told(tmp_path: Path) -> None:
    (play,) = bound(tmp_path, "- hosts: n1\n  tasks:\n    - command: one\n      any_errors_fatal: true\n")
    program = play.program("n1", ("n1",))
    exchange("n1", program.next(), program, failing("p0.t0"))  # type: ignore[arg-type]
    assert program.failed_fatally


def test_a_record_nobody_expects_is_a_bug(tmp_path: Path) -> None:
    (play,) = bound(tmp_path, "- hosts: n1\n  tasks:\n    - command: one\n")
    program = play.program("n1", ("n1",))
    program.next()
    with pytest.raises(ValueError, match="not expected"):
        program.feed(Record("p9.t9", "ok"))


def test_changes_notify_only_when_changed(tmp_path: Path) -> None:
    playbook = """
        - hosts: store
          tasks:
            - command: one
              notify: [h]
          handlers:
            - name: h
              command: handle
        """
    assert run(tmp_path, playbook, changing("p0.t0")).ids() == [["p0.t0"], ["p0.h0"]]
    assert run(tmp_path, playbook).ids() == [["p0.t0"]]


def test_attempts_are_known_to_changed_when_and_fail_can_be_ignored(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              register: r
              until: true
              changed_when: r.attempts > 1
            - fail: msg=no
              ignore_errors: true
            - command: two
        """,
    )
    assert done.failure["n1"] is None
    assert done.counts["n1"] == {"ok": 3, "changed": 0, "failed": 0, "skipped": 0}


def test_a_controller_task_that_fails_waits_for_what_was_sent(tmp_path: Path) -> None:
    done = run(tmp_path, "- hosts: store\n  tasks:\n    - command: one\n    - fail: msg=no\n    - command: two\n")
    assert done.ids() == [["p0.t0"]]
    assert [event.name for event in done.tasks()] == ["command", "fail"]
    assert (done.failure["n1"] or "").endswith("play.yml:4:7: task 'fail' failed: no")
