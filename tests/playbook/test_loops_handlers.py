"""Loops, their results, and handlers."""

from __future__ import annotations

from pathlib import Path

from coreops.model import Record
from tests.playbook.driver import changing, failing, run


def test_items_are_steps_of_one_segment(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: echo {{ thing.name }} {{ n }}
              loop: [{name: a}, {name: b, skip: true}, {name: c}]
              loop_control: {loop_var: thing, index_var: n, label: "{{ thing.name }}"}
              when: thing.skip is not defined
              register: r
            - debug: msg="{{ r.results | map(attribute='stdout', default='-') | list }} {{ r.results[2].thing.name }}"
        """,
        lambda host, step: step.id[-1],
    )
    assert done.ids() == [["p0.t0.i0", "p0.t0.i2"]]
    assert [event.item for event in done.tasks()[:3]] == ["a", "b", "c"]
    assert done.said() == ["['0', '-', '2'] c"]
    assert done.counts["n1"] == {"ok": 2, "changed": 0, "failed": 0, "skipped": 0}


def test_with_items_flattens_one_level_and_loop_does_not(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - debug: msg={{ item | to_json }}
              with_items: [[1, 2], 3]
            - debug: msg={{ item | to_json }}
              loop: [[1, 2], 3]
        """,
    )
    assert done.said() == ["1", "2", "3", "[1, 2]", "3"]


def test_a_failed_item_does_not_stop_the_others_but_the_tasks_after(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: echo {{ item }}
              loop: [1, 2, 3]
            - command: never
        """,
        failing("p0.t0.i1"),
    )
    assert done.ids() == [["p0.t0.i0", "p0.t0.i1", "p0.t0.i2", "p0.t1"], ["p0.t0.i2"]]
    assert [event.result.failed for event in done.tasks()[:3]] == [False, True, False]
    assert "boom" in (done.failure["n1"] or "")
    assert all(event.task == "p0.t0" for event in done.tasks())


def test_failed_when_in_a_loop_cuts_once(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: echo {{ item }}
              loop: [1, 2, 3]
              register: r
              failed_when: r.rc not in [0, 1]
            - command: two
        """,
        failing("p0.t0.i0", "p0.t0.i1", "p0.t0.i2"),
    )
    assert done.ids() == [["p0.t0.i0", "p0.t0.i1", "p0.t0.i2"], ["p0.t1"]]
    assert done.failure["n1"] is None


def test_set_fact_accumulates_over_items(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          vars: {all: []}
          tasks:
            - command: one
            - set_fact:
                all: "{{ all + [item] }}"
              loop: [1, 2, 3]
            - debug: msg={{ all | to_json }}
        """,
    )
    assert done.said() == ["[1, 2, 3]"]
    assert done.ids() == [["p0.t0"]]


def test_a_loop_over_a_pending_result_waits_for_it(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              register: r
            - command: echo {{ item }}
              loop: "{{ r.stdout_lines }}"
        """,
        lambda host, step: "a\nb\n",
    )
    assert done.ids() == [["p0.t0"], ["p0.t1.i0", "p0.t1.i1"]]


def test_an_empty_loop_is_skipped_and_registered(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: echo {{ item }}
              loop: []
              register: r
            - debug: msg="{{ r is skipped }} {{ r.results }}"
        """,
    )
    assert done.ids() == []
    assert done.said() == ["True []"]
    assert done.counts["n1"]["skipped"] == 1


def test_when_false_saves_an_undefined_loop(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: echo {{ item }}
              loop: "{{ nothing }}"
              when: nothing is defined
        """,
    )
    assert done.failure["n1"] is None
    assert done.counts["n1"]["skipped"] == 1


def test_a_loop_over_a_mapping_is_an_error_with_advice(tmp_path: Path) -> None:
    done = run(tmp_path, '- hosts: n1\n  vars: {d: {a: 1}}\n  tasks:\n    - command: echo\n      loop: "{{ d }}"\n')
    assert "play.yml:5:13: a loop wants a list, not dict" in (done.failure["n1"] or "")
    assert "dict2items" in (done.failure["n1"] or "")


HANDLERS = """
- hosts: store
  tasks:
    - command: one
      notify: second
    - command: two
      notify: [first, group]
    - command: three
  handlers:
    - name: first
      command: h0
      notify: third
    - name: second
      command: h1
    - name: third
      command: h2
    - name: fourth
      listen: group
      command: h3
"""


def test_handlers_run_once_in_definition_order(tmp_path: Path) -> None:
    everything = run(tmp_path, HANDLERS, lambda host, step: Record(step.id, "changed"))
    assert everything.ids() == [["p0.t0", "p0.t1", "p0.t2"], ["p0.h0", "p0.h1", "p0.h3"], ["p0.h2"]]
    one = run(tmp_path, HANDLERS, changing("p0.t0"))
    assert one.ids() == [["p0.t0", "p0.t1", "p0.t2"], ["p0.h1"]]


def test_flush_handlers_and_a_second_notification(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              notify: h
            - meta: flush_handlers
            - command: two
              notify: h
          handlers:
            - name: h
              command: handle
        """,
        lambda host, step: Record(step.id, "changed"),
    )
    assert done.ids() == [["p0.t0"], ["p0.h0"], ["p0.t2"], ["p0.h0.f2"]]


def test_sections_flush_between_them(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          pre_tasks:
            - {command: pre, notify: h}
          tasks:
            - command: mid
          post_tasks:
            - command: post
          handlers:
            - name: h
              command: handle
        """,
        changing("p0.t0"),
    )
    assert done.ids() == [["p0.t0"], ["p0.h0"], ["p0.t2", "p0.t4"]]


def test_notify_in_a_template_of_an_unknown_handler_is_an_error(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              notify: "h{{ port }}"
          handlers:
            - name: h1
              command: handle
        """,
        changing("p0.t0"),
    )
    assert done.ids() == [["p0.t0"], ["p0.h0"]]
