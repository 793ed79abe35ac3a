"""Several playbooks, or one several times, in one run: what a command did for one of them is not another's."""

from __future__ import annotations

from pathlib import Path

from coreops.engine.engine import Engine
from coreops.inventory import load_inventory
from coreops.model import Target
from coreops.playbook import bind, load_playbook
from tests.support.shells import ShellTransport, new_run


def test_a_command_of_another_playbook_is_not_taken_for_done(tmp_path: Path):
    (tmp_path / "hosts.yml").write_text("all: {hosts: {h: {}}}\n")
    inventory = load_inventory(tmp_path / "hosts.yml")
    for word in ("one", "two"):
        tasks = f"[{{shell: echo {word} >>{tmp_path}/said}}]"
        (tmp_path / f"{word}.yml").write_text(f"- {{hosts: all, gather_facts: false, tasks: {tasks}}}\n")
    transport = ShellTransport()
    try:
        with Engine({"h": Target("h", "h")}, lambda event: None, run=new_run(), transport=transport) as engine:
            for number, word in enumerate(("one", "two", "two")):
                playbook = load_playbook(tmp_path / f"{word}.yml")
                (play,) = bind(playbook, inventory, emit=lambda event: None, prefix=f"{word}{number}.")
                assert engine.drive({"h": play.program("h", ("h",))})["h"].error is None
    finally:
        transport.close()
    assert (tmp_path / "said").read_text().split() == ["one", "two", "two"]
