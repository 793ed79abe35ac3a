"""Rendering user-data and judging it: coreops beside Jinja2 alone, Ansible's template module, cloud-init and Ignition.

Needs neither sshd nor root. What others make is held against what coreops made, so that all did the same.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import tools
from measure import Cost, median, ratio, run

from tests.cloudconfig.real import programs

Row = dict[str, Any]
TARGETS = ("coreos", "cloud-init", "ignition", "butane")
MEMBERS = 5
FEW = 50
"""As many as the slow ones get."""
_PLAY = """\
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.template: {src: node.j2, dest: "ansible/{{ inventory_hostname }}.yaml", mode: "0600"}
"""
_FLOOR = """\
import pathlib, sys, jinja2, yaml
inventory, template, folder = sys.argv[1:]
text = pathlib.Path(template).read_text()
render = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True).from_string(text).render
with open(inventory) as stream:
    loaded = yaml.load(stream, yaml.CSafeLoader)["all"]
for group in loaded["children"].values():
    for name, own in group["hosts"].items():
        text = render({**loaded["vars"], **own, "inventory_hostname": name})
        pathlib.Path(folder, name + ".yaml").write_text(text)
"""
_INVENTORY = """\
all:
  vars:
    node_ssh_keys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJf3uHJ3kqCXXL7kVYQ1bqkV1Yc4sbJxN2o5z0rjkFPw ops@example.net"]
    node_time_servers: [0.example.net, 1.example.net]
    ansible_python_interpreter: /usr/bin/python3
    node:
      users:
        - {name: ann, groups: [sudo], ssh_authorized_keys: [ssh-ed25519 AAAA]}
      write_files:
        - {path: /etc/motd, permissions: "0600", content: "{{ inventory_hostname }} at $private_ipv4\\n"}
      coreos:
        docker: {flags: [--log-driver=journald]}
        units:
          - name: backup.timer
            enable: true
            content: "[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n"
  children:
"""


def compare(rounds: int, count: int) -> list[Row]:
    """All comparisons of rendering and judging."""
    folder = Path(tempfile.mkdtemp(prefix="coreops-bench-"))
    try:
        return [*_render(folder, rounds, count), *_validate(folder, rounds, count)]
    finally:
        shutil.rmtree(folder)


def _render(folder: Path, rounds: int, count: int) -> list[Row]:
    rows: list[Row] = []
    for number in (count, FEW):
        (folder / f"hosts{number}.yml").write_text(_inventory(number))
    commands = {target: _command(target, count) for target in TARGETS}
    for target, costs in _rounds(folder, rounds, commands).items():
        rows.append({"comparison": f"user-data of {count} nodes", "tool": f"coreops, {target}", **_medians(costs)})
    template = _template(folder)
    (folder / "play.yml").write_text(_PLAY)
    for name in ("floor", "ansible"):
        (folder / name).mkdir()
    python, ansible = str(tools.coreops() / "python"), str(tools.environment("ansible", "ansible-core"))
    peers = {
        "coreops": _command("coreos", FEW),
        "floor": [python, "-c", _FLOOR, f"hosts{FEW}.yml", str(template), "floor"],
        "ansible": [f"{ansible}/ansible-playbook", "-i", f"hosts{FEW}.yml", "-f", "30", "play.yml"],
    }
    found = _rounds(folder, rounds, peers, slow={"ansible": 1})
    for name in ("floor", "ansible"):
        _prove(folder / name, folder / f"coreos{FEW}")
    return rows + _beside(f"user-data of {FEW} nodes", found)


def _validate(folder: Path, rounds: int, count: int) -> list[Row]:
    """Judge what was rendered. The others judge one document per process; cloud-init also many in one, as our tests."""
    bin = tools.coreops()
    whole = {f"coreops, {target}": [str(bin / "coreops"), "validate", f"{target}{count}"] for target in ("coreos",)}
    rows: list[Row] = [
        {"comparison": f"judging {count} documents", "tool": name, **_medians(costs)}
        for name, costs in _rounds(folder, rounds, whole).items()
    ]
    for target in ("cloud-init", "ignition"):
        run(_command(target, FEW), folder, folder / "log")
    cloud_init = programs.cloud_init()
    documents = sorted(str(path) for path in (folder / f"cloud-init{FEW}").glob("*.yaml"))
    reader = str(Path(programs.__file__).with_name("reader.py"))
    commands = {
        "coreops": [str(bin / "coreops"), "validate", f"coreos{FEW}"],
        "cloud-init schema": [
            "sh",
            "-c",
            f'for f; do {cloud_init.command} schema -c "$f" || exit; done',
            "-",
            *documents,
        ],
        "cloud-init, one process": [cloud_init.python, reader, *documents],
        "ignition-validate": ["sh", "-c", f'for f in ignition{FEW}/*.ign; do ignition-validate "$f" || exit; done'],
    }
    found = _rounds(folder, rounds, commands, slow={"cloud-init schema": 1}, env=cloud_init.env)
    return rows + _beside(f"judging {FEW} documents", found)


def _command(target: str, count: int) -> list[str]:
    words = [str(tools.coreops() / "coreops"), "render", "-i", f"hosts{count}.yml", "-t", target]
    return [*words, "-o", f"{target}{count}"]


def _rounds(
    folder: Path,
    rounds: int,
    commands: dict[str, list[str]],
    slow: dict[str, int] | None = None,
    env: dict[str, str] | None = None,
) -> dict[str, list[Cost]]:
    """Run the commands in turn. slow: at most so many rounds."""
    found: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            if number < (slow or {}).get(name, rounds):
                found[name].append(run(command, folder, folder / "log", env))
                print(f"bench: {name}: {found[name][-1].wall:.2f} s", file=sys.stderr, flush=True)
    return found


def _medians(costs: list[Cost]) -> Row:
    return {
        "wall": median([cost.wall for cost in costs]),
        "cpu": median([cost.cpu for cost in costs]),
        "memory": max(cost.memory for cost in costs),
        "rounds": len(costs),
    }


def _beside(title: str, found: dict[str, list[Cost]]) -> list[Row]:
    walls = [cost.wall for cost in found["coreops"]]
    return [
        {"comparison": title, "tool": name, **_medians(costs), "times": ratio(walls, [cost.wall for cost in costs])}
        for name, costs in found.items()
    ]


def _inventory(count: int) -> str:
    """A store, and workers; every host has its address and nothing else of its own."""
    lines = [_INVENTORY]
    for group, numbers in (("store", range(MEMBERS)), ("workers", range(MEMBERS, count))):
        lines.append(f"    {group}:\n      hosts:\n")
        lines += [f"        n{number:04}: {{private_ipv4: {_address(number)}}}\n" for number in numbers]
    return "".join(lines)


def _address(number: int) -> str:
    return f"10.0.{number // 250}.{number % 250 + 1}"


def _template(folder: Path) -> Path:
    """One template of text for the tools that know no more than that, made of what coreops says of a worker."""
    run(_command("coreos", FEW), folder, folder / "log")
    name = f"n{FEW - 1:04}"
    text = (folder / f"coreos{FEW}" / f"{name}.yaml").read_text()
    text = text.replace(name, "{{ inventory_hostname }}").replace(f"{_address(FEW - 1)} ", "{{ private_ipv4 }} ")
    path = folder / "node.j2"
    path.write_text(text.replace(f"at {_address(FEW - 1)}", "at {{ private_ipv4 }}"))
    return path


def _prove(theirs: Path, ours: Path) -> None:
    """Who wrote something else was measured doing something else; the members have a role that one template has not."""
    made = {path.name: path.read_text() for path in theirs.iterdir()}
    wanted = {path.name: path.read_text() for path in sorted(ours.glob("*.yaml"))}
    workers = sorted(wanted)[MEMBERS:]
    if len(made) != FEW or [name for name in workers if made.get(name) != wanted[name]]:
        raise SystemExit(f"bench: {theirs.name} did not make what coreops made")
