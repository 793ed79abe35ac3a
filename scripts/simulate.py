"""Runs seeds of the simulator in several processes; says which invariant broke first. Started by scripts/simulate."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from coreops.upgrade.rehearse.faults import FAULTS, HARSH, Profile
from coreops.upgrade.rehearse.invariants import Broken
from coreops.upgrade.rehearse.seeds import attempt, simulation

BATCH = 100


def run_batch(nodes: int | None, profile: Profile, batch: range) -> tuple[int, dict[str, int], tuple[int, str] | None]:
    """Events, how nodes ended, and the first broken seed of one batch."""
    events, ends = 0, Counter[str]()
    for seed in batch:
        tried = attempt(seed, nodes=nodes, profile=profile)
        if tried.broken:
            return events, dict(ends), (seed, str(tried.broken))
        if tried.ending:
            events += tried.ending.events
            ends.update(outcome.value for outcome in tried.ending.outcomes.values())
    return events, dict(ends), None


def run_many(options: argparse.Namespace, profile: Profile) -> int:
    batches = [
        range(first, min(first + BATCH, options.start + options.seeds))
        for first in range(options.start, options.start + options.seeds, BATCH)
    ]
    began, seeds, events, ends = time.monotonic(), 0, 0, Counter[str]()
    broken: tuple[int, str] | None = None
    work = partial(run_batch, options.nodes, profile)
    with ProcessPoolExecutor(options.jobs) as pool:
        results = map(work, batches) if options.jobs == 1 else pool.map(work, batches)
        for batch, (more, new, broken) in zip(batches, results, strict=False):
            if broken:
                pool.shutdown(cancel_futures=True)
                break
            seeds, events = seeds + len(batch), events + more
            ends.update(new)
    took = time.monotonic() - began
    print(f"{seeds} seeds in {took:.1f} s: {seeds / took:.0f} seeds/s, {events / took:.0f} events/s")
    print("nodes: " + ", ".join(f"{count} {name}" for name, count in ends.most_common()))
    if broken:
        seed, why = broken
        print(f"seed {seed}: {why}\nsee it: {replay_command(options, seed)}")
        return 1
    print("every invariant held")
    return 0


def replay_command(options: argparse.Namespace, seed: int) -> str:
    nodes = f" --nodes {options.nodes}" if options.nodes else ""
    faults = "".join(f" --fault {name!r}" for name in options.fault)
    return f"scripts/simulate --seed {seed}{nodes}{faults} --trace"


def run_one(options: argparse.Namespace, profile: Profile) -> int:
    trace: list[str] = []
    history = simulation(options.seed, nodes=options.nodes, profile=profile, trace=trace)
    scenario = history.scenario
    try:
        ending = history.run()
        verdict = "every invariant held: " + ", ".join(f"{n} {o}" for n, o in ending.outcomes.items())
    except Broken as broken:
        verdict = str(broken)
    if options.trace:
        print("\n".join(trace))
    print(f"faults: {', '.join(scenario.faults) or 'none'}")
    print(f"nodes: {', '.join(n.name + ' member' * n.member + ' canary' * n.canary for n in scenario.plan.nodes)}")
    print(f"policy: {scenario.plan.policy}\nrelease: {scenario.behaviour}")
    print(f"seed {options.seed}: {verdict}")
    return 0 if verdict.startswith("every") else 1


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="how many (default: 1000)")
    parser.add_argument("--start", type=int, default=0, help="the first one (default: 0)")
    parser.add_argument("--jobs", type=int, default=2, help="processes (default: 2)")
    parser.add_argument("--nodes", type=int, help="nodes per cluster (default: drawn, 3 to 9)")
    parser.add_argument("--fault", action="append", default=[], choices=sorted(FAULTS), help="these faults, always")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: print everything that happens")
    options = parser.parse_args()
    names = tuple(options.fault)
    profile = Profile(names, (len(names),)) if names else HARSH
    return run_one(options, profile) if options.seed is not None else run_many(options, profile)


if __name__ == "__main__":
    sys.exit(main())
