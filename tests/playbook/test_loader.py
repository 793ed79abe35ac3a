"""Every mistake in a playbook: one error with its place, and advice."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coreops.errors import InputError
from coreops.playbook import keywords, load_playbook
from coreops.playbook.source import parse_yaml

TASKS = "- hosts: all\n  tasks:\n"

BAD = {
    "empty": ("", "", "the playbook is empty"),
    "mapping": ("hosts: all\n", ":1:1", "a playbook is a list of plays"),
    "yaml": ("- hosts: all\n  tasks: [\n", ":3:1", "not valid YAML"),
    "tab": ("- hosts: all\n\ttasks: []\n", ":2:1", "not valid YAML"),
    "duplicate": ("- hosts: all\n  hosts: n1\n", ":2:3", "duplicate key 'hosts'"),
    "tag": ("- hosts: !foo all\n", ":1:10", "unknown YAML tag '!foo'"),
    "unquoted template": ("- hosts: all\n  vars:\n    a: {{ b }}\n", ":3:9", "a mapping cannot be a key"),
    "no hosts": ("- tasks: []\n", ":1:3", "a play without hosts"),
    "empty hosts": ("- hosts:\n", ":1:9", "hosts is empty"),
    "play typo": ("- hosts: all\n  task: []\n", ":2:3", "did you mean 'tasks'?"),
    "play later": ("- hosts: all\n  roles: []\n", ":2:3", "'roles' is not supported yet"),
    "task as play": ("- name: x\n  command: y\n", ":2:3", "'command' belongs to a task"),
    "task typo": (TASKS + "    - command: x\n      registr: y\n", ":4:7", "did you mean 'register'?"),
    "task later": (TASKS + "    - command: x\n      delegate_to: y\n", ":4:7", "'delegate_to' is not supported yet"),
    "block": (TASKS + "    - block: []\n", ":3:7", "'block' is not supported yet"),
    "fqcn later": (TASKS + "    - ansible.builtin.import_tasks: x\n", ":3:7", "'import_tasks' is not supported yet"),
    "module typo": (TASKS + "    - comand: x\n", ":3:7", "did you mean 'command'?"),
    "unknown module": (TASKS + "    - yum: name=x\n", ":3:7", "unknown module or keyword 'yum'"),
    "no module": (TASKS + "    - name: x\n", ":3:7", "a task without a module"),
    "two modules": (TASKS + "    - command: x\n      shell: y\n", ":4:7", "two modules, 'command' and 'shell'"),
    "not a task": (TASKS + "    - echo\n", ":3:7", "a task is a mapping"),
    "argument typo": (TASKS + "    - file: {pth: /x, state: absent}\n", ":3:14", "did you mean 'path'?"),
    "argument typo beside a template": (TASKS + "    - file: {path: '{{ x }}', stat: absent}\n", ":3:31", "'state'"),
    "argument missing": (TASKS + "    - copy: {content: x}\n", ":3:7", "needs the argument 'dest'"),
    "missing beside a template": (TASKS + "    - copy: {content: '{{ x }}'}\n", ":3:7", "'dest'"),
    "argument value": (TASKS + "    - file: {path: /x, state: gone}\n", ":3:24", "state"),
    "value beside a template": (TASKS + "    - file: {path: '{{ x }}', state: gone}\n", ":3:31", "state"),
    "kv": (TASKS + "    - file: path=/x state\n", ":3:13", "'state' is not key=value"),
    "kv twice": (TASKS + "    - file: path=/x path=/y\n", ":3:13", "given twice"),
    "list arguments": (TASKS + "    - file: [a]\n", ":3:13", "neither a mapping nor a text"),
    "when syntax": (TASKS + "    - command: x\n      when: a ==\n", ":4:13", "cannot be parsed"),
    "when test": (TASKS + "    - command: x\n      when: a is chnged\n", ":4:13", "did you mean 'changed'?"),
    "when text": (TASKS + "    - command: x\n      when: 'x {{ a }} y'\n", ":4:13", "without {{ }}"),
    "filter": (TASKS + "    - command: echo {{ a | defalt(1) }}\n", ":3:16", "did you mean 'default'?"),
    "template syntax": (TASKS + "    - command: echo {{ a\n", ":3:16", "cannot be parsed"),
    "notify": (TASKS + "    - command: x\n      notify: h\n", ":4:15", "no handler is called 'h'"),
    "notify near": (
        TASKS + "    - command: x\n      notify: restrt\n  handlers:\n    - name: restart\n      command: y\n",
        ":4:15",
        "did you mean 'restart'?",
    ),
    "handler without name": (TASKS + "    []\n  handlers:\n    - command: y\n", ":5:7", "a handler without a name"),
    "same handlers": (
        "- hosts: all\n  handlers:\n    - {name: a, command: y}\n    - {name: a, command: y}\n",
        ":4:14",
        "two handlers are called 'a'",
    ),
    "listen on a task": (TASKS + "    - command: x\n      listen: y\n", ":4:7", "'listen' belongs on a handler"),
    "become": (TASKS + "    - command: x\n      become: maybe\n", ":4:15", "become is true or false"),
    "register": (TASKS + "    - command: x\n      register: a-b\n", ":4:17", "register is a variable name"),
    "retries": (TASKS + "    - command: x\n      retries: many\n", ":4:16", "retries is a number"),
    "loop": (TASKS + "    - command: x\n      loop: items\n", ":4:13", "loop is a list"),
    "two loops": (TASKS + "    - command: x\n      loop: []\n      with_items: []\n", ":5:7", "loop and with_items"),
    "loop_control": (
        TASKS + "    - command: x\n      loop: []\n      loop_control: {lop: x}\n",
        ":5:22",
        "unknown keyword",
    ),
    "loop pause": (
        TASKS + "    - command: x\n      loop: []\n      loop_control: {pause: 1}\n",
        ":5:22",
        "not supported",
    ),
    "no loop": (TASKS + "    - command: x\n      loop_control: {}\n", ":4:7", "loop_control without a loop"),
    "meta": (TASKS + "    - meta: flush\n", ":3:13", "unknown keyword 'flush'"),
    "meta later": (TASKS + "    - meta: clear_facts\n", ":3:13", "not supported yet"),
    "var name": ("- hosts: all\n  vars: {a-b: 1}\n", ":2:10", "'a-b' cannot be a variable's name"),
    "serial": ("- hosts: all\n  serial: 0\n", ":2:11", "serial is"),
    "serial percent": ("- hosts: all\n  serial: [1, 200%]\n", ":2:15", "serial is"),
    "percentage": ("- hosts: all\n  max_fail_percentage: 101\n", ":2:24", "from 0 to 100"),
    "strategy": ("- hosts: all\n  strategy: debug\n", ":2:13", "unknown strategy 'debug'"),
    "import": ("- import_playbook: gone.yml\n", ":1:20", "no playbook 'gone.yml'"),
    "import itself": ("- import_playbook: p.yml\n", "", "in a circle"),
    "tasks mapping": ("- hosts: all\n  tasks: {command: x}\n", ":2:10", "tasks is a list"),
    "alias in itself": ("- hosts: all\n  vars: &a\n    b: *a\n", ":2:9", "contains itself"),
    "environment": (TASKS + "    - command: x\n      environment: 3\n", ":4:20", "environment is a mapping"),
}


@pytest.mark.parametrize("case", BAD)
def test_mistakes(tmp_path: Path, case: str) -> None:
    text, place, words = BAD[case]
    path = tmp_path / "p.yml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load_playbook(path)
    assert caught.value.where == f"{path}{place}", str(caught.value)
    assert words in str(caught.value)


def test_what_is_not_supported_yet_has_an_alternative(tmp_path: Path) -> None:
    later = (keywords.LATER_PLAY, keywords.LATER_TASK, keywords.LATER_META, keywords.LATER_LOOP_CONTROL)
    assert frozenset().union(*later) == keywords.INSTEAD.keys()
    path = tmp_path / "p.yml"
    for word in (
        "block",
        "rescue",
        "include_tasks",
        "ansible.builtin.import_role",
        "delegate_to",
        "run_once",
        "with_dict",
    ):
        path.write_text(TASKS + f"    - {word}: x\n")
        with pytest.raises(InputError, match="is not supported yet") as caught:
            load_playbook(path)
        assert caught.value.next
        assert caught.value.where == f"{path}:3:7"


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        load_playbook(tmp_path / "none.yml")
    (tmp_path / "bin.yml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="not UTF-8"):
        load_playbook(tmp_path / "bin.yml")
    (tmp_path / "ctl.yml").write_bytes(b"- hosts: a\x01b\n")
    with pytest.raises(InputError, match="not valid YAML"):
        load_playbook(tmp_path / "ctl.yml")


def test_everything_ansible_users_write(tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text("- hosts: b\n  tasks:\n    - ping:\n")
    path = tmp_path / "site.yml"
    path.write_text(
        """
- name: all of it
  hosts: [a, b]
  become: yes
  gather_facts: no
  serial: ["1", 30%]
  max_fail_percentage: 30
  strategy: linear
  vars: &common {x: 1}
  tags: [one, two]
  pre_tasks:
    - ansible.builtin.command: echo hi creates=/tmp/x
      args: {chdir: /tmp}
  tasks:
    - name: shell
      shell: |
        echo "$HOME" a=b
      when: [x == 1, "{{ y | default(true) }}", true]
      tags: three,four
    - vars: {<<: *common, y: 2}
      debug: msg="{{ x }} and {{ y }}"
    - setup:
- import_playbook: other.yml
  tags: imported
"""
    )
    first, second = load_playbook(path).plays
    assert (first.name, first.strategy, first.serial) == ("all of it", "linear", (1, "30%"))
    tasks = first.tasks
    assert {name: one.value.evaluate(None) for name, one in tasks[0].args.items()} == {  # type: ignore[arg-type]
        "free_form": "echo hi",
        "creates": "/tmp/x",
        "chdir": "/tmp",
    }
    assert tasks[1].tags == {"one", "two", "three", "four"}
    assert len(tasks[1].when) == 3
    assert set(tasks[2].vars) == {"x", "y"}
    assert (second.index, second.tasks[0].tags) == (1, {"imported"})


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=60) | st.text("- :{}[]&*!|>'\"%@`,?#\n ab", max_size=40))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    with suppress(InputError):
        parse_yaml(text, "f.yml")


WORDS = ["hosts", "tasks", "when", "command", "loop", "name", "vars", "notify", "copy", "handlers", "meta", "register"]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.sampled_from(["all", "{{ x }}", "{% if", "", *WORDS]),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    )
)
def test_any_playbook_loads_or_is_an_input_error(tmp_path: Path, data: object) -> None:
    import json

    path = tmp_path / "p.yml"
    path.write_text(json.dumps([{"hosts": "all", "tasks": data}, data]))
    with suppress(InputError):
        load_playbook(path)
