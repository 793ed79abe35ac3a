"""The arrows of the house: who may import whom, what the pure packages must not touch, and how long a file may be.

Reads the sources only. ``MAY_IMPORT`` is the picture; to add an arrow is to change it here, on purpose.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "coreops"
SHARED = {"model", "errors", "events", "frozen", "once", "yaml_marks"}
LONGEST = 400

# package (or module) -> packages and modules of coreops it may import besides itself. The longest key that fits counts.
MAY_IMPORT: dict[str, set[str]] = {
    "frozen": set(),
    "once": set(),
    "model": {"frozen"},
    "errors": set(),
    "events": {"frozen", "model"},
    "gptprio": set(),
    "sdboot": set(),
    "yaml_marks": {"model", "errors"},
    "shell": SHARED,
    "modules": SHARED | {"shell"},
    "inventory": SHARED,
    "playbook": SHARED | {"inventory", "modules", "shell.quote", "engine.program"},
    "transport": SHARED | {"shell.quote"},
    "engine": SHARED | {"shell", "transport"},
    "report": SHARED,
    "cloudconfig": SHARED,
    "serving": SHARED,
    # by which names an inventory and serve-config know a machine
    "identity": SHARED | {"inventory", "delivery.serving", "playbook.rendering"},
    "delivery": SHARED | {"shell.quote", "cloudconfig", "serving"},
    # its endpoint is HTTP with the same limits, TLS and audit log as serve-config's
    "discovery": SHARED | {"serving", "identity"},
    "providers": SHARED | {"shell.quote", "gptprio", "sdboot"},
    # the inventory keeps, as variables, what was learned of machines, and says where to look for more
    "provision": SHARED | {"providers", "inventory.machines", "inventory.lookup", "inventory.found", "identity"},
    "adoption": SHARED
    | {"engine", "identity", "inventory", "transport", "provision", "delivery.serving", "providers.protocol"}
    | {"providers.registry", "discovery"},
    "schedulers": SHARED
    | {"shell.quote", "engine", "modules", "playbook", "inventory", "store", "transport", "identity", "units.glob"},
    # systemd units with [X-Fleet], run on whatever scheduler there is
    "units": SHARED | {"shell.quote", "engine", "inventory", "transport", "schedulers"},
    "schedulers.units": SHARED | {"shell.quote", "store", "units"},
    # what nodes tell of themselves in the store
    "registration": SHARED
    | {"shell.quote", "engine", "modules", "playbook", "inventory", "store", "transport", "identity"}
    | {"schedulers.settings"},
    "healing": SHARED
    | {"shell.quote", "engine", "inventory", "playbook", "store", "transport", "schedulers", "registration", "units"},
    "store": SHARED | {"shell.quote", "engine", "modules", "playbook", "inventory", "transport", "identity"},
    "upgrade": SHARED
    | {"shell.quote", "engine", "modules", "playbook", "inventory", "store", "schedulers", "identity"},
    "upgrade.cluster": SHARED | {"shell.quote", "engine", "store", "transport", "identity", "schedulers"},
    "upgrade.slots": SHARED | {"shell.quote", "engine", "gptprio", "sdboot"},
}
PURE = (
    "model",
    "errors",
    "events",
    "gptprio",
    "sdboot",
    "yaml_marks",
    "inventory",
    "playbook",
    "modules",
    "shell",
    "cloudconfig",
    "delivery.cmdline",
    "delivery.seed",
    "delivery.serving.answer",
    "delivery.serving.identity",
    "delivery.serving.clear",
    "delivery.serving.machines",
    "delivery.serving.pages",
    "delivery.serving.request",
    "delivery.serving.site",
    "discovery.answer",
    "discovery.registry",
    "discovery.request",
    "adoption.candidate",
    "adoption.decide",
    "identity",
    "healing.decide",
    "healing.seen",
    "registration.overview",
    "registration.record",
    "engine.program",
    "serving.listen",
    "providers.command.wire",
    "providers.planning",
    "providers.protocol",
    "providers.qemu.addressing",
    "providers.qemu.argv",
    "providers.qemu.plan",
    "providers.qemu.settings",
    "provision.replaced",
    "provision.share",
    "provision.standing",
    "provision.summary",
    "provision.trust",
    "providers.ec2.host_keys",
    "providers.ec2.machines",
    "providers.ec2.plan",
    "providers.ec2.request",
    "providers.ec2.settings",
    "report.tally",
    "report.text",
    "schedulers.protocol",
    "schedulers.fleet",
    "schedulers.k3s",
    "schedulers.nomad",
    "schedulers.swarm",
    "store.members",
    "store.preflight",
    "store.quorum",
    "schedulers.units",
    "units",
    "upgrade.channel.channels",
    "upgrade.channel.custom",
    "upgrade.channel.frames",
    "upgrade.coordinator",
    "upgrade.version",
    "report.rollout_tally",
    "upgrade.planning.request",
    "upgrade.explain",
    "upgrade.auditing",
    "upgrade.planning.rounds",
    "upgrade.planning.order",
    "upgrade.ledger.format",
    "upgrade.ledger.protocol",
    "upgrade.ledger.places",
    "upgrade.ledger.explain",
    "upgrade.drain",
    "upgrade.gates.etcd",
    "upgrade.gates.probes",
    "upgrade.gates.prometheus",
    "upgrade.gates.spec",
    "upgrade.hooks",
    "upgrade.planning.readers",
    "upgrade.rehearse",
    "upgrade.planning.settings",
    "upgrade.slots",
    "upgrade.window",
)
# What does I/O beyond reading files, or waits. Prefixes of module names.
IMPURE = (
    "asyncio",
    "concurrent",
    "fabric",
    "fcntl",
    "http",
    "httpx",
    "invoke",
    "multiprocessing",
    "paramiko",
    "pty",
    "requests",
    "select",
    "selectors",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "urllib.request",
)
# A daemon's stdout is its log.
PRINTS = ("providers.namespace.launcher",)
SOURCES = sorted(PACKAGE.rglob("*.py"))


@cache
def name_of(path: Path) -> str:
    """``coreops/store/quorum.py`` is ``store.quorum``; a package's ``__init__`` is the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    f"coreops.{name}".rstrip(".") for path in SOURCES for name in (name_of(path), name_of(path).rpartition(".")[0])
}


def below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def statements(path: Path) -> tuple[ast.stmt, ...]:
    """Every statement of a file, however deep."""
    found: list[ast.stmt] = []
    left: list[ast.AST] = [parsed(path)]
    while left:
        node = left.pop()
        if isinstance(node, ast.stmt):
            found.append(node)
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            inner = getattr(node, name, None)
            left += inner if isinstance(inner, list) else ()
    return tuple(found)


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, anywhere in it, with the line."""
    for node in statements(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            module = node.module or ""
            for alias in node.names:
                full = f"{module}.{alias.name}"
                yield (full if full in MODULES else module), node.lineno


def allowed(name: str) -> set[str] | None:
    keys = [key for key in MAY_IMPORT if below(name, key)]
    return MAY_IMPORT[max(keys, key=len)] | {max(keys, key=len).split(".")[0]} if keys else None


def test_arrows_go_down() -> None:
    wrong = []
    for path in SOURCES:
        may = allowed(name_of(path))
        if may is None:
            assert name_of(path).split(".")[0] in ("", "cli"), f"{path} is in no package that MAY_IMPORT knows"
            continue
        wrong += [
            f"{name_of(path)}:{line} imports {module}"
            for module, line in imports(path)
            if below(module, "coreops")
            and module != "coreops"
            and not any(below(module.removeprefix("coreops."), one) for one in may)
        ]
    assert not wrong


def test_pure_packages_touch_no_world() -> None:
    wrong = [
        f"{name_of(path)}:{line} imports {module}"
        for path in SOURCES
        if any(below(name_of(path), pure) for pure in PURE)
        for module, line in imports(path)
        if any(below(module, bad) for bad in IMPURE)
    ]
    assert not wrong


def test_only_the_command_line_prints() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        if name_of(path).split(".")[0] not in ("cli", "report") and name_of(path) not in PRINTS
        if "print" in path.read_text()
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert not wrong, "events, not prints"


@pytest.mark.parametrize("package", sorted({name_of(path).split(".")[0] for path in SOURCES} & set(PURE)))
def test_a_pure_package_loads_no_ssh(package: str) -> None:
    code = f"import coreops.{package}, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"fabric", "paramiko", "httpx", "rich", "typer"} & set(loaded)


def test_no_file_is_longer_than_it_may_be() -> None:
    files = [*SOURCES, *(ROOT / "tests").rglob("*.py"), *PACKAGE.rglob("*.sh")]
    long = {
        str(path.relative_to(ROOT)): lines for path in files if (lines := len(path.read_text().splitlines())) > LONGEST
    }
    assert not long


def test_every_file_says_what_it_is() -> None:
    silent = [str(path.relative_to(ROOT)) for path in SOURCES if not ast.get_docstring(parsed(path))]
    assert not silent


def test_nothing_is_left_undone() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "NotImplemented" + "Error")
    found = [
        f"{path.relative_to(ROOT)}: {mark}"
        for path in [*SOURCES, *PACKAGE.rglob("*.sh")]
        for mark in marks
        if mark in path.read_text()
    ]
    assert not found


def test_importing_does_nothing() -> None:
    """At module level there are definitions, constants and imports; a bare call would be a side effect."""
    wrong = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in parsed(path).body
        if isinstance(node, ast.For | ast.While | ast.With)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call))
    ]
    assert not wrong
