"""Variables with their origin, members, and vars files beside a playbook."""

from __future__ import annotations

from pathlib import Path

import pytest

from coreops.errors import InputError
from coreops.inventory import load_inventory
from coreops.model import Position
from tests.inventory.support import from_ini, write


def test_origin_names_the_winner_and_then_what_it_overrides(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "inv/hosts.ini": "[store]\nn1 x=inline\n[store:vars]\nx=group\n[all:vars]\nx=all\n",
            "inv/group_vars/all.yml": "---\nx: all file\n",
            "inv/group_vars/store/a.yml": "x: a\n",
            "inv/group_vars/store/b.yml": "y: 1\nx: b\n",
            "inv/host_vars/n1.yml": "\n\nx: host file\n",
            "play/group_vars/store.yml": "x: play group\n",
            "play/host_vars/n1.yml": "x: play host\n",
        },
    )
    inventory = load_inventory(tmp_path / "inv/hosts.ini").with_playbook_dir(tmp_path / "play")
    assert inventory.vars("n1")["x"] == "play host"
    short = [str(place).removeprefix(f"{tmp_path}/") for place in inventory.origin("n1", "x")]
    assert short == [
        "play/host_vars/n1.yml:1:1",
        "inv/host_vars/n1.yml:3:1",
        "inv/hosts.ini:2:4",
        "play/group_vars/store.yml:1:1",
        "inv/group_vars/store/b.yml:2:1",
        "inv/group_vars/store/a.yml:1:1",
        "inv/group_vars/all.yml:2:1",
        "inv/hosts.ini:4:1",
        "inv/hosts.ini:6:1",
    ]
    assert inventory.settings("n1")["x"].position == inventory.origin("n1", "x")[0]
    assert inventory.origin("n1", "nothing") == ()


def test_a_later_file_of_a_folder_wins_and_the_earlier_place_is_kept(tmp_path: Path) -> None:
    write(tmp_path, {"a.ini": "n1 x=1", "b.ini": "n1 x=2", "c.ini": "n1 x=3"})
    inventory = load_inventory(tmp_path)
    assert inventory.vars("n1") == {"x": 3}
    assert [Path(place.file).name for place in inventory.origin("n1", "x")] == ["c.ini", "b.ini", "a.ini"]


def test_a_playbook_beside_the_inventory_adds_nothing(tmp_path: Path) -> None:
    write(tmp_path, {"hosts.ini": "n1", "group_vars/all.yml": "x: 1\n"})
    inventory = load_inventory(tmp_path / "hosts.ini").with_playbook_dir(tmp_path)
    assert len(inventory.origin("n1", "x")) == 1


def test_another_playbook_folder_replaces_the_last(tmp_path: Path) -> None:
    write(tmp_path, {"inv/h.ini": "n1", "a/group_vars/all.yml": "x: a\n", "b/group_vars/all.yml": "y: b\n"})
    inventory = load_inventory(tmp_path / "inv/h.ini")
    assert inventory.with_playbook_dir(tmp_path / "a").with_playbook_dir(tmp_path / "b").vars("n1") == {"y": "b"}
    assert inventory.vars("n1") == {}


def test_changing_returned_variables_changes_nothing() -> None:
    inventory = from_ini("n1 x=1\n[all:vars]\ny=2\n")
    dict(inventory.vars("n1")).clear()
    inventory.vars("n1").update(x=3, y=4)  # type: ignore[attr-defined]
    assert inventory.vars("n1") == {"x": 1, "y": 2}


def test_groups_of_a_host_and_members_of_a_group() -> None:
    inventory = from_ini("lone\n[low]\nn1\n[mid:children]\nlow\n[top:children]\nmid\n[top]\nn2\n")
    assert inventory.group_names("n1") == ("low", "mid", "top")
    assert inventory.group_names("lone") == ("ungrouped",)
    assert inventory.members("top") == ("n2", "n1")
    assert inventory.members("all") == ("lone", "n2", "n1")


def test_unknown_names_are_answered_with_the_nearest() -> None:
    inventory = from_ini("[store]\nnode1\n")
    with pytest.raises(InputError, match="no host is named 'node2'\n  next: did you mean 'node1'"):
        inventory.vars("node2")
    with pytest.raises(InputError, match="did you mean 'store'"):
        inventory.members("stor")


def test_localhost_is_always_there() -> None:
    inventory = from_ini("n1")
    assert inventory.vars("localhost")["ansible_connection"] == "local"
    assert inventory.group_names("localhost") == ()
    assert inventory.origin("localhost", "ansible_connection") == (Position("implicit localhost"),)


def test_ten_thousand_hosts_stay_cheap_in_steps_not_seconds() -> None:
    """Hosts of the same groups share the work of merging them: counted, not timed."""
    inventory = from_ini("[web]\nn[0001:9999] x=1\n[web:vars]\ny=2\n")
    assert all(inventory.vars(host) == {"x": 1, "y": 2} for host in inventory.match("web"))
    assert len(inventory._shared) == len(inventory._chains) == 1
