"""Users, check mode, secrets, environment: what a segment and its steps carry."""

from __future__ import annotations

from pathlib import Path

from coreops.model import FileStep, Record, ShellStep
from tests.playbook.driver import bound, failing, run


def test_users_end_segments(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          become: true
          tasks:
            - command: one
            - command: two
              become_user: bob
            - command: three
              become: false
            - command: four
        """,
    )
    assert [(segment.user, len(segment.steps)) for segment in done.segments["n1"]] == [
        (None, 1),
        ("bob", 1),
        ("~login", 1),
        (None, 1),
    ]


def test_without_become_there_is_one_user(tmp_path: Path) -> None:
    (play,) = bound(tmp_path, "- hosts: store\n  tasks:\n    - command: one\n")
    assert not play.become
    done = run(tmp_path, "- hosts: store\n  tasks:\n    - command: one\n")
    assert done.segments["n1"][0].user is None


def test_reboot_ends_the_segment(tmp_path: Path) -> None:
    done = run(tmp_path, "- hosts: store\n  tasks:\n    - command: one\n    - reboot:\n    - command: two\n")
    assert len(done.ids()) == 2


def test_check_mode_sets_the_segment_and_check_mode_false_acts(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
            - command: two
              check_mode: false
            - copy: {dest: /etc/x, content: x}
              check_mode: false
            - copy: {dest: /etc/y, content: y}
        """,
        check=True,
        diff=True,
    )
    assert [(segment.check, segment.diff, len(segment.steps)) for segment in done.segments["n1"]] == [
        (True, True, 2),
        (False, True, 1),
        (True, True, 1),
    ]
    second = done.segments["n1"][0].steps[1]
    assert isinstance(second, ShellStep)
    assert second.in_check


def test_check_mode_never_crashes_on_what_was_not_run(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              register: r
            - name: dependent
              command: two
              when: r.rc == 0
            - name: use
              command: echo {{ r.stdout }}
            - name: learn
              set_fact: version={{ r.stdout }}
            - name: late
              command: echo {{ version }}
            - debug: msg="{{ r is skipped }} {{ r.stdout | default('none') }}"
        """,
        lambda host, step: Record(step.id, "skipped"),
        check=True,
    )
    assert done.failure["n1"] is None
    for name in ("dependent", "use", "learn", "late"):
        assert "check mode" in done.results()[name].message
    assert done.said() == ["True none"]


def test_no_log_hides_everything(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - copy: {dest: /etc/x, content: hunter2}
              no_log: true
              loop: [hunter2]
            - command: two
              no_log: true
        """,
        failing("p0.t1", stdout=b"hunter2"),
    )
    assert "hunter2" not in repr(done.events)
    assert "hunter2" not in str(done.failure["n1"])
    step = done.segments["n1"][0].steps[0]
    assert isinstance(step, FileStep)
    assert step.secret


def test_environment_and_timeout_reach_the_step(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          environment: {A: "1", B: "{{ port }}"}
          timeout: 7
          tasks:
            - command: one
              environment: {A: "$(x) '\\""}
        """,
    )
    step = done.segments["n1"][0].steps[0]
    assert isinstance(step, ShellStep)
    assert step.env["A"] == "$(x) '\""
    assert step.env["B"] == "1"
    assert step.timeout == 7
