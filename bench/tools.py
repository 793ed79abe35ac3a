"""The programs that are compared: where they come from, and the command line each one is started with.

pyinfra, ansible-core and matplotlib are installed from PyPI into environments of their own, kept below the cache.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "coreops-bench"


@dataclass(frozen=True, slots=True)
class Tool:
    """``command(count)`` is its command line for so many hosts. rounds, hosts: at most so many, for slow ones."""

    name: str
    command: Callable[[int], list[str]]
    env: dict[str, str] = field(default_factory=dict)
    rounds: int = 99
    hosts: int = 9999


def environment(name: str, package: str) -> Path:
    """The ``bin`` of an environment that has ``package``; made when missing."""
    path = CACHE / name
    stamp = path / "installed"
    if not stamp.exists():
        print(f"bench: installing {package} into {path}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(path)], check=True)
        subprocess.run([str(path / "bin" / "pip"), "install", "--quiet", package], check=True)
        stamp.write_text(package)
    return path / "bin"


def coreops() -> Path:
    """The ``bin`` that coreops is installed in: the checkout's own environment, or a new one."""
    ours = HERE.parent / ".venv" / "bin"
    return ours if (ours / "coreops").exists() else environment("coreops", str(HERE.parent))


def versions() -> dict[str, str]:
    """What exactly is compared."""
    found = {}
    for where, names in {
        coreops(): ("coreops", "paramiko", "cryptography"),
        environment("pyinfra", "pyinfra"): ("pyinfra",),
        environment("ansible", "ansible-core"): ("ansible-core",),
    }.items():
        said = subprocess.run(
            [str(where / "pip"), "list", "--format", "json"], check=True, capture_output=True, text=True
        )
        listed = {row["name"]: row["version"] for row in json.loads(said.stdout)}
        found |= {name: listed[name] for name in names if name in listed}
    return found


def players(folder: Path, hosts: Path, nodes: Path, window: int) -> dict[str, Tool]:
    """Every tool, for the play below ``folder``."""
    bin = coreops()
    pyinfra, ansible = environment("pyinfra", "pyinfra"), environment("ansible", "ansible-core")
    python = str(bin / "python")
    tools = (
        Tool("coreops", lambda n: [str(bin / "coreops"), "run", "play.yml", "-i", "hosts.ini"]),
        Tool("floor", lambda n: [python, str(HERE / "floor.py"), str(hosts), str(folder / "scripts"), str(window)]),
        Tool("engine", lambda n: [python, str(HERE / "direct.py"), str(hosts), str(folder), str(nodes), str(window)]),
        Tool("pyinfra", lambda n: [str(pyinfra / "pyinfra"), "-y", "inventory.py", "deploy.py"], rounds=2),
        Tool(
            "ansible",
            lambda n: [str(ansible / "ansible-playbook"), "-i", "hosts.ini", "-f", "30", "play.yml"],
            env={"ANSIBLE_CONFIG": str(folder / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            rounds=1,
            hosts=20,
        ),
    )
    return {tool.name: tool for tool in tools}
