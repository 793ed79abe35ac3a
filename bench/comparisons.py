"""The comparisons, one function each: run the tools in turn, return rows of numbers. Knows no table and no plot."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import tools
import workload
from measure import Cost, median, ratio, run
from world import World

from tests.transport.delay_proxy import DelayProxy

WINDOW = 256  # coreops's default window, and the floor's number of threads
RTT = 0.05
Row = dict[str, Any]


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


def warm(world: World) -> None:
    """One run of each fast program that is not measured: bytecode is compiled, files are in memory."""
    hosts = world.hosts(1)
    written = workload.write(world, hosts)
    players = tools.players(written.folder, world.write_hosts(hosts), world.nodes, WINDOW)
    world.clean()
    for name in ("coreops", "floor", "engine"):
        run(players[name].command(1), written.folder, world.folder / "warm.log")


def play(world: World, count: int, rounds: int, names: Iterable[str]) -> list[Row]:
    """25 operations on ``count`` hosts, first run and no-change run, tool after tool in every round."""
    hosts = world.hosts(count)
    written = workload.write(world, hosts)
    players = tools.players(written.folder, world.write_hosts(hosts), world.nodes, WINDOW)
    chosen = [players[name] for name in names if players[name].hosts >= count]
    costs: dict[str, dict[str, list[Cost]]] = {tool.name: {"first run": [], "no change": []} for tool in chosen}
    for number in range(rounds):
        turn = number % len(chosen)
        for tool in chosen[turn:] + chosen[:turn]:
            if number >= tool.rounds:
                continue
            world.clean()
            for kind, found in costs[tool.name].items():
                cost = run(tool.command(count), written.folder, world.folder / f"{tool.name}.log", tool.env)
                found.append(cost)
                say(f"25 operations, {count} hosts, {kind}: {tool.name} {cost.wall:.2f} s")
            _prove(world, count)
    base = costs["coreops"]
    return [
        {
            "comparison": f"25 operations, {count} hosts, {kind}",
            "tool": name,
            **_medians(found[kind]),
            "times": ratio([c.wall for c in base[kind]], [c.wall for c in found[kind]]),
        }
        for kind in ("first run", "no change")
        for name, found in costs.items()
    ]


def _prove(world: World, count: int) -> None:
    """A run that did less than it should is no measurement."""
    found = sum(1 for _ in world.nodes.glob("*/d*/*"))
    if found != 20 * count:
        raise SystemExit(f"bench: {found} files on {count} hosts, expected {20 * count}")


def _medians(costs: list[Cost]) -> Row:
    return {
        "wall": median([cost.wall for cost in costs]),
        "cpu": median([cost.cpu for cost in costs]),
        "memory": max(cost.memory for cost in costs),
        "rounds": len(costs),
    }


def uname(world: World, count: int, rounds: int) -> list[Row]:
    """``uname -n`` on ``count`` hosts: coreops beside paramiko alone."""
    hosts = world.hosts(count)
    written = workload.write(world, hosts)
    about = world.write_hosts(hosts)
    bin = tools.coreops()
    commands = {
        "coreops": [str(bin / "coreops"), "exec", "all", "-i", "hosts.ini", "--", "uname", "-n"],
        "floor": [str(bin / "python"), str(tools.HERE / "floor.py"), str(about), "-", str(WINDOW), "uname", "-n"],
    }
    costs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            costs[name].append(run(command, written.folder, world.folder / f"{name}.log"))
            say(f"uname -n, {count} hosts: {name} {costs[name][-1].wall:.2f} s")
    walls = [cost.wall for cost in costs["coreops"]]
    title = f"uname -n, {count} hosts"
    return [
        {
            "comparison": title,
            "tool": name,
            **_medians(found),
            "times": ratio(walls, [c.wall for c in found]),
            "cpu_ms_per_host": median([cost.cpu for cost in found]) * 1000 / count,
        }
        for name, found in costs.items()
    ]


def many(world: World, count: int) -> list[Row]:
    """The play on ``count`` hosts, once: does every host end well, and in how much memory?"""
    hosts = world.hosts(count)
    written = workload.write(world, hosts)
    players = tools.players(written.folder, world.write_hosts(hosts), world.nodes, WINDOW)
    rows: list[Row] = []
    world.clean()
    for kind in ("first run", "no change"):
        cost = run(players["coreops"].command(count), written.folder, world.folder / "coreops.log")
        say(f"25 operations, {count} hosts, {kind}: {cost.wall:.1f} s, {cost.memory:.0f} MiB")
        row = _medians([cost])
        rows.append({"comparison": f"25 operations, {count} hosts, {kind}", "tool": "coreops", **row})
    _prove(world, count)
    return rows


def round_trips(world: World, rounds: int) -> list[Row]:
    """One host through a proxy that delays by ``RTT``; the fewest of all rounds: a slow machine can only add."""
    hosts = world.hosts(1)
    rows: list[Row] = []
    for name in ("coreops", "floor"):
        found: dict[str, list[tuple[int, int, int]]] = {"first run": [], "no change": []}
        for _ in range(rounds):
            world.clean()
            for counts in found.values():
                with DelayProxy((hosts[0].address, world.port), RTT, listen=hosts[0].address) as proxy:
                    world.trust(proxy.port)
                    written = workload.write(world, hosts, port=proxy.port)
                    about = world.write_hosts(hosts, port=proxy.port)
                    tool = tools.players(written.folder, about, world.nodes, WINDOW)[name]
                    run(tool.command(1), written.folder, world.folder / f"{name}.log")
                counts.append((proxy.round_trips, proxy.bytes_up, proxy.bytes_down))
        for kind, counts in found.items():
            trips, up, down = min(counts)
            say(f"{name}, {kind}: {trips} round trips, {up} bytes up, {down} bytes down")
            row = {"comparison": f"25 operations, 1 host, {kind}", "tool": name, "round_trips": trips}
            rows.append({**row, "bytes_up": up, "bytes_down": down, "rounds": rounds})
    return rows


def help(rounds: int, folder: Path) -> list[Row]:
    """``coreops --help``: what starting costs."""
    command = [str(tools.coreops() / "coreops"), "--help"]
    costs = [run(command, folder, folder / "help.log") for _ in range(max(rounds, 5))]
    return [{"comparison": "coreops --help", "tool": "coreops", **_medians(costs)}]


def growth(world: World, counts: list[int], sizes: list[int], rounds: int) -> list[Row]:
    """What coreops costs as hosts and as tasks grow: the points of the plot."""
    rows: list[Row] = []
    for hosts_count, times in [*((count, 1) for count in counts), *((10, times) for times in sizes)]:
        hosts = world.hosts(hosts_count)
        written = workload.write(world, hosts, times)
        tool = tools.players(written.folder, world.write_hosts(hosts), world.nodes, WINDOW)["coreops"]
        costs: dict[str, list[Cost]] = {"first run": [], "no change": []}
        for _ in range(rounds):
            world.clean()
            for found in costs.values():
                found.append(run(tool.command(hosts_count), written.folder, world.folder / "coreops.log"))
        for kind, found in costs.items():
            say(f"{hosts_count} hosts, {written.count} operations, {kind}: {median([c.wall for c in found]):.2f} s")
            row = {"hosts": hosts_count, "operations": written.count, "kind": kind}
            rows.append({"comparison": "growth", "tool": "coreops", **row, **_medians(found)})
    return rows
