from __future__ import annotations

from pathlib import Path

import pytest

from coreops.engine.program import Program
from coreops.errors import InputError
from coreops.events import TaskFinished
from coreops.inventory import load_inventory
from coreops.model import Record, Segment
from coreops.upgrade.hooks import EXAMPLE, HOOKS, Hooks, default_path

PLAYBOOK = """\
- hosts: web
  tasks:
    - name: leave
      command: lb leave {{ upgrade_from }} {{ upgrade_version }}
      tags: [before_drain, on_failure]
    - name: wait
      command: settle
      tags: before_drain
      notify: tell
  handlers:
    - name: tell
      command: tell
- hosts: all
  tasks:
    - command: everywhere
      tags: before_drain
    - command: audit
      tags: always
"""


@pytest.fixture
def inventory(tmp_path):
    (tmp_path / "inv.yml").write_text("web: {hosts: {a: {}, b: {}}}\nother: {hosts: {c: {}}}\n")
    return load_inventory(tmp_path / "inv.yml")


@pytest.fixture
def load(tmp_path, inventory):
    def load(text: str, emit=None) -> Hooks:
        path: Path = tmp_path / "upgrade.yml"
        path.write_text(text)
        return Hooks.load(path, inventory, emit=emit)

    return load


def walk(program: Program, fail: str = "") -> list[tuple[str, str]]:
    """Ids and titles of the steps, in the order in which a node would be sent them."""
    found = []
    while (segment := program.next()) is not None:
        assert isinstance(segment, Segment)
        for step in segment.steps:
            found.append((step.id, step.title))
            bad = step.title == fail
            program.feed(Record(step.id, "failed" if bad else "changed", rc=int(bad)))
            if bad:
                break
        if program.failure:
            break
    return found


def test_the_shipped_playbook_has_no_hook(inventory):
    for hooks in (Hooks.load(default_path(), inventory), Hooks.load(None, inventory)):
        assert hooks.present == frozenset()
        assert not any(hooks.has(name, "a") for name in HOOKS)
        assert hooks.program("before_drain", "a", EXAMPLE) is None


def test_tags_say_when_and_hosts_say_where(load):
    hooks = load(PLAYBOOK)
    assert hooks.present == {"before_drain", "on_failure"}
    assert hooks.has("on_failure", "a")
    assert not hooks.has("on_failure", "c")
    assert hooks.has("before_drain", "c")
    assert not hooks.has("after_reboot", "a")


def test_plays_run_one_after_the_other_with_their_handlers(load):
    events = []
    program = load(PLAYBOOK, events.append).program("before_drain", "a", EXAMPLE)
    assert program is not None
    assert [title for _, title in walk(program)] == ["leave", "wait", "tell", "command", "command"]
    assert program.failure is None
    names = [event.name for event in events if isinstance(event, TaskFinished)]
    assert names == ["leave", "wait", "tell", "command", "command"]


def test_a_task_of_two_hooks_is_two_steps_to_the_node(load):
    hooks = load(PLAYBOOK)
    before, failed = (hooks.program(name, "a", EXAMPLE) for name in ("before_drain", "on_failure"))
    assert before is not None
    assert failed is not None
    ids = [id for id, _ in walk(before)], [id for id, _ in walk(failed)]
    assert ids[0]
    assert not set(ids[0]) & set(ids[1])
    assert len(set(ids[0])) == len(ids[0])


def test_a_failure_ends_it(load):
    program = load(PLAYBOOK).program("before_drain", "a", EXAMPLE)
    assert program is not None
    assert [title for _, title in walk(program, fail="leave")] == ["leave"]
    assert program.failure
    assert program.next() is None
    program.abandon()


def test_values_stay_one_word(load):
    program = load(PLAYBOOK).program("on_failure", "a", {**EXAMPLE, "upgrade_version": "$(reboot)"})
    assert program is not None
    segment = program.next()
    assert isinstance(segment, Segment)
    assert "'$(reboot)'" in str(segment.steps[0].act)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the playbook is empty"),
        ("- hosts: all\n  tasks:\n    - command: x\n      tags: before_rebot\n", "did you mean 'before_reboot'?"),
        ("- hosts: all\n  tasks:\n    - command: x\n", "it has no tags"),
        ("- hosts: all\n  tasks:\n    - comand: x\n      tags: on_failure\n", "did you mean 'command'?"),
        ("- hosts: all\n  tasks:\n    - command: '{{ nope }}'\n      tags: on_failure\n", "'nope' is not defined"),
        ("- hosts: wbe\n  tasks: []\n", "did you mean 'web'?"),
    ],
)
def test_mistakes_are_found_before_anything_is_touched(load, text, says):
    with pytest.raises(InputError, match=r"upgrade\.yml") as caught:
        load(text)
    assert says in str(caught.value)


def test_a_playbook_that_is_not_there(inventory, tmp_path):
    with pytest.raises(InputError, match=r"none\.yml"):
        Hooks.load(tmp_path / "none.yml", inventory)


def test_variables_of_plays(load):
    hooks = load("- hosts: web\n  vars: {upgrade_gates: '{{ [inventory_hostname] }}'}\n  tasks: []\n")
    assert list(hooks.variables()) == ["upgrade_gates"]
    found = hooks.variable("a", "upgrade_gates")
    assert found is not None
    assert found[0].evaluate(found[1]) == ["a"]
    assert hooks.variable("c", "upgrade_gates") is None
