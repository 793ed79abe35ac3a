"""Mistakes that only a host's variables show are found before anything is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from coreops.playbook import preflight
from tests.playbook.driver import bound


def errors(tmp_path: Path, tasks: str, **options: Any) -> list[str]:
    body = "\n".join("    " + line for line in tasks.strip().splitlines())
    plays = bound(tmp_path, f"- hosts: store\n  tasks:\n{body}\n", **options)
    return [str(error) for error in preflight(plays)]


def test_undefined_variables_are_found_behind_pending_results(tmp_path: Path) -> None:
    (error,) = errors(
        tmp_path,
        """
- command: one
  register: r
- command: echo {{ r.stdout }}
- set_fact: x={{ r.rc }}
- command: echo {{ x }} {{ ansible_facts.hostname }}
- command: echo {{ prot }}
""",
    )
    assert "play.yml:8:16: variable 'prot' is not defined" in error
    assert "on host n1" in error


def test_one_host_without_a_variable(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, "- command: echo {{ zone }}", hosts="[store]\nn1 zone=a\nn2\n")
    assert "on host n2" in error


def test_missing_controller_files(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, "- copy: src=none dest=/etc/x")
    assert "'none'" in error


@pytest.mark.parametrize(
    "tasks",
    [
        "- command: echo {{ nothing }}\n  when: nothing is defined",
        "- command: echo {{ nothing }}\n  when: ansible_facts.x == 1",
        "- meta: end_host\n- command: echo {{ nothing }}",
        "- fail: msg=no\n- command: echo {{ nothing }}",
        "- command: echo {{ hostvars.n2.later.rc }}\n  when: port == 1\n- command: x\n  register: later",
        '- command: x\n  register: r\n- command: echo {{ item }}\n  loop: "{{ r.stdout_lines }}"',
        "- setup:\n- debug: msg={{ ansible_hostname }}",
        "- set_fact: a=1\n- debug: msg={{ a }}",
    ],
)
def test_no_false_alarms(tmp_path: Path, tasks: str) -> None:
    assert errors(tmp_path, tasks) == []
