"""Hosts that look at each other, batches, and the order of plays."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.engine.program import Wait
from coreops.model import Record
from tests.playbook.driver import Outcome, bound, drive, exchange, run


def test_inventory_vars_of_others_never_wait(tmp_path: Path) -> None:
    done = run(tmp_path, "- hosts: store\n  tasks:\n    - debug: msg={{ hostvars['n2'].port }}\n", limit=None)
    assert done.waits == {}
    assert done.said("n1") == ["2"]


def test_a_registered_result_of_another_host_is_waited_for(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              register: r
            - debug: msg="{{ groups.store | map('extract', hostvars, ['r', 'stdout']) | join(',') }}"
        """,
        lambda host, step: f"from {host}",
        limit=None,
    )
    assert done.said("n1") == done.said("n2") == ["from n1,from n2"]
    assert done.waits["n1"][0].hosts == frozenset({"n2"})


def test_facts_of_another_host_make_it_gather_them(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - debug: msg={{ hostvars.n2.ansible_facts | length }}
              when: inventory_hostname == 'n1'
            - command: one
        """,
        limit=None,
    )
    assert "p0.facts" in [id for ids in done.ids("n2") for id in ids] or done.failure["n1"]


def test_hosts_that_wait_for_each_other_are_told(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - debug: msg={{ hostvars[{'n1':'n2','n2':'n1'}[inventory_hostname]].x }}
            - set_fact: x=1
        """,
        limit=None,
    )
    assert "wait for each other" in f"{done.failure}"


def test_registered_results_and_set_fact_survive_into_later_plays(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: n1
          tasks:
            - command: one
              register: r
            - set_fact: x=7
        - hosts: store
          tasks:
            - debug: msg="{{ hostvars.n1.r.stdout }} {{ hostvars.n1.x }}"
        """,
        lambda host, step: "out",
        limit=None,
    )
    assert done.said("n2") == ["out 7"]
    assert done.waits == {}


def test_a_host_that_failed_is_not_waited_for(tmp_path: Path) -> None:
    plays = bound(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              register: r
            - command: two
              register: late
            - debug: msg={{ hostvars.n2.late.rc }}
              when: inventory_hostname == 'n1'
        """,
    )
    outcome = Outcome()
    drive(
        {host: plays[0].program(host, plays[0].hosts) for host in plays[0].hosts},
        outcome,
        lambda host, step: Record(step.id, "failed") if host == "n2" else None,
    )
    assert outcome.failure["n2"]
    assert "'late'" in (outcome.failure["n1"] or "")


def test_unknown_hosts_and_variables_of_others_are_named(tmp_path: Path) -> None:
    done = run(tmp_path, "- hosts: n1\n  tasks:\n    - debug: msg={{ hostvars.n2.prt }}\n")
    assert "did you mean 'port'?" in (done.failure["n1"] or "")
    done = run(tmp_path, "- hosts: n1\n  tasks:\n    - debug: msg={{ hostvars['n22'].port }}\n")
    assert "did you mean 'n2'?" in (done.failure["n1"] or "")


@pytest.mark.parametrize(
    ("serial", "sizes"),
    [
        ("3", [3, 3, 3, 1]),
        ('"30%"', [3, 3, 3, 1]),
        ('[1, "50%"]', [1, 5, 4]),
        ('"1%"', [1] * 10),
        ("100", [10]),
    ],
)
def test_batches(tmp_path: Path, serial: str, sizes: list[int]) -> None:
    (play,) = bound(tmp_path, f"- hosts: all\n  serial: {serial}\n  tasks: []\n", hosts="n[0:9]\n")
    assert [len(batch) for batch in play.batches()] == sizes
    assert [host for batch in play.batches() for host in batch] == list(play.hosts)


def test_no_hosts_no_batches_and_a_notice(tmp_path: Path) -> None:
    events: list[object] = []
    (play,) = bound(tmp_path, "- hosts: store:!store\n  tasks: []\n", emit=events.append)
    assert play.batches() == ()
    assert "no host matches" in str(events[0])


def test_magic_variables(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        - hosts: store
          tasks:
            - debug:
                msg: "{{ [inventory_hostname, inventory_hostname_short, group_names,
                      groups.store, play_hosts, ansible_play_hosts_all, ansible_play_batch, ansible_check_mode,
                      ansible_host, playbook_dir] | to_json }}"
        """,
        hosts="[store]\nn1.example.com\n",
        limit=None,
    )
    said = done.said("n1.example.com")[0]
    host = '["n1.example.com"]'
    assert said == (
        f'["n1.example.com", "n1", ["store"], {host}, {host}, {host}, {host}, false, "n1.example.com", "{tmp_path}"]'
    )


def test_a_wait_that_was_answered_is_no_circle(tmp_path: Path) -> None:
    (play,) = bound(
        tmp_path,
        """
        - hosts: store
          tasks:
            - command: one
              register: a
            - debug: msg={{ hostvars.n1.a.rc }}
              when: port == 2
            - command: two
              register: b
            - debug: msg={{ hostvars.n2.b.rc }}
              when: port == 1
        """,
    )
    one, two = (play.program(host, play.hosts) for host in play.hosts)
    sent = one.next()
    exchange("n2", two.next(), two, None)  # type: ignore[arg-type]
    assert isinstance(two.next(), Wait)
    exchange("n1", sent, one, None)  # type: ignore[arg-type]
    assert isinstance(one.next(), Wait)
    exchange("n2", two.next(), two, None)  # type: ignore[arg-type]
    assert two.next() is None
    assert one.next() is None
    assert (one.failure, two.failure) == (None, None)
