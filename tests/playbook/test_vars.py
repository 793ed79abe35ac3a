"""Precedence, laziness, cycles, and values that look like templates but are data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coreops.model import ShellStep
from tests.playbook.driver import run

LAYERS = ["extra", "set_fact", "task", "vars_files", "play", "host", "group"]
"""Strongest first."""


@pytest.mark.parametrize("strongest", range(len(LAYERS)))
def test_precedence(tmp_path: Path, strongest: int) -> None:
    used = LAYERS[strongest:]
    files = {"v.yml": "x: vars_files\n" if "vars_files" in used else "{}\n"}
    hosts = "[store]\nn1" + (" x=host" if "host" in used else "") + "\n"
    hosts += "[store:vars]\nx=group\n" if "group" in used else ""
    playbook = "- hosts: store\n  vars_files: v.yml\n"
    playbook += "  vars: {x: play}\n" if "play" in used else ""
    playbook += "  tasks:\n"
    playbook += "    - set_fact: x=set_fact\n" if "set_fact" in used else ""
    playbook += "    - debug: msg={{ x }}\n" + ("      vars: {x: task}\n" if "task" in used else "")
    extra = {"x": "extra"} if "extra" in used else {}
    done = run(tmp_path, playbook, hosts=hosts, files=files, extra_vars=extra)
    assert done.said() == [LAYERS[strongest]]


def test_a_loop_variable_is_before_everything(tmp_path: Path) -> None:
    playbook = "- hosts: n1\n  tasks:\n    - debug: msg={{ item }}\n      loop: [loop]\n"
    assert run(tmp_path, playbook, extra_vars={"item": "extra"}).said() == ["loop"]


def test_native_types_and_text(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: n1
          vars:
            number: 7
            list: [1, "{{ number }}"]
            nested: {a: {b: "{{ list }}"}}
            text: "0{{ number }}"
            nothing:
          tasks:
            - debug: msg="{{ [number, list, nested, text, nothing, '[1]', '0644'] | to_json }}"
            - debug: msg="none is '{{ nothing }}'"
        """,
    )
    assert done.said() == ['[7, [1, 7], {"a": {"b": [1, 7]}}, "07", null, "[1]", "0644"]', "none is ''"]


def test_cycles_are_named(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: n1
          vars: {a: "{{ b }}", b: "x{{ c }}", c: "{{ a }}"}
          tasks:
            - debug: msg={{ a }}
        """,
    )
    failure = done.failure["n1"] or ""
    assert "a -> b -> c -> a" in failure
    assert "play.yml:5:7" in failure


def test_undefined_inside_a_variable_names_the_way(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: n1
          vars: {url: "http://{{ adress }}", address: x}
          tasks:
            - debug: msg={{ url | default('fallback') }}
            - debug: msg={{ url }}
        """,
    )
    failure = done.failure["n1"] or ""
    assert "'adress' is not defined (through 'url')" in failure
    assert "did you mean 'address'?" in failure
    assert "play.yml:6:14" in failure


def test_an_unused_broken_variable_hurts_nobody(tmp_path: Path) -> None:
    done = run(tmp_path, '- hosts: n1\n  vars: {bad: "{{ nowhere }}"}\n  tasks:\n    - debug: msg=fine\n')
    assert done.said() == ["fine"]


def test_omit_drops_an_argument(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "- hosts: n1\n  tasks:\n    - file: {path: /etc/x, state: directory, mode: '{{ mode | default(omit) }}'}\n",
    )
    assert done.segments["n1"][0].steps[0].mode is None  # type: ignore[union-attr]


def test_output_of_nodes_is_never_a_template(tmp_path: Path) -> None:
    hostile = "{{ 7 * 7 }}{% raw %}{# x #}"
    done = run(
        tmp_path,
        """
        - hosts: n1
          tasks:
            - command: one
              register: r
            - set_fact: x={{ r.stdout }}
            - debug: msg={{ x }}
            - debug: msg={{ hostvars.n1.x }}
        """,
        lambda host, step: hostile,
    )
    assert done.said() == [hostile, hostile]


def test_templates_cannot_change_shared_values(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          vars: {list: [1]}
          tasks:
            - debug: msg="{% set _ = list.append(2) %}{{ list }}"
        """,
        limit=None,
    )
    assert done.said("n1") == done.said("n2") == ["[1, 2]"]


def test_the_sandbox_holds(tmp_path: Path) -> None:
    done = run(tmp_path, "- hosts: n1\n  tasks:\n    - debug: msg={{ ''.__class__.__mro__ }}\n")
    assert "play.yml:3:14" in (done.failure["n1"] or "")


HOSTILE = st.text(st.characters(exclude_characters="{\0", exclude_categories=("Cs",)), max_size=30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=HOSTILE | st.sampled_from(["$(id)", "`id`", "-rf", "a'b\"c", "*", "~", "\n", "é\t\r", "%s", "}}", "[b]"]))
def test_hostile_values_survive_templating(tmp_path: Path, value: str) -> None:
    done = run(
        tmp_path,
        """
        - hosts: n1
          vars: {copy: "{{ value }}"}
          tasks:
            - command: {argv: [echo, "{{ copy }}"]}
              environment: {V: "{{ value }}"}
            - debug: {msg: "<{{ copy }}>"}
        """,
        extra_vars={"value": value},
    )
    assert done.failure["n1"] is None
    step = done.segments["n1"][0].steps[0]
    assert isinstance(step, ShellStep)
    assert step.env["V"] == value
    assert done.said() == [f"<{value}>"]


VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(value=VALUES)
def test_native_values_keep_their_type(value: Any) -> None:
    from coreops.playbook.values import Text, prepare_plain
    from coreops.playbook.vars import HostState, Scope, View

    view = View("n", HostState(), {"v": value}, extra={}, play={"w": Text("{{ v }}", None)}, magic={})
    assert prepare_plain("{{ w }}").evaluate(Scope(view)) == value


@pytest.mark.parametrize(("value", "runs"), [("no", False), ("false", False), ("yes", True), ("x", True), ("", False)])
def test_texts_that_spell_booleans(tmp_path: Path, value: str, runs: bool) -> None:
    done = run(
        tmp_path,
        "- hosts: n1\n  tasks:\n    - command: one\n      when: on\n      register: a\n    - command: two\n"
        "      when: flag\n",
        extra_vars={"flag": value},
    )
    assert (done.ids() == [["p0.t0", "p0.t1"]]) is runs
