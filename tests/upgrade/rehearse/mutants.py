"""The coordinator with one safety rule taken out, for every rule; and which invariant must break then."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from coreops.upgrade.coordinator import Coordinator, Rulebook, coordinator
from coreops.upgrade.coordinator.outcome import Outcome
from coreops.upgrade.coordinator.paths import FALLBACKS, PATHS, Fallback, Path
from coreops.upgrade.coordinator.place import Place, another_boot, right_slot
from coreops.upgrade.coordinator.rules import RULES
from coreops.upgrade.plan import Plan
from coreops.upgrade.protocol import Action
from coreops.upgrade.rehearse.controller import Make


@dataclass(frozen=True)
class Mutant:
    """breaks: the invariants one of which must break first. make: builds the crippled coordinator. faults: those that
    are worth a look; () draws from all."""

    name: str
    breaks: frozenset[str]
    make: Make
    faults: tuple[str, ...] = ()


def without_rule(name: str) -> Make:
    assert name in {rule.name for rule in RULES}
    return by_book(rules=tuple(rule for rule in RULES if rule.name != name))


def without_gate(name: str) -> Make:
    """The rule is asked before a turn, but not at its gates."""
    return by_book(rules=tuple(replace(rule, at_gate="") if rule.name == name else rule for rule in RULES))


def by_book(**changes: object) -> Make:
    book = replace(Rulebook(), **changes)  # type: ignore[arg-type]
    return lambda plan: Coordinator(plan, book)


def without_action(place: Place, *actions: Action) -> Make:
    path = PATHS[place]
    left = tuple(action for action in path.actions if action not in actions)
    return by_book(paths={**PATHS, place: Path(left, path.then)})


def with_paths(paths: Mapping[Place, Path]) -> Make:
    return by_book(paths={**PATHS, **paths})


def with_fallback(action: Action, fallback: Fallback) -> Make:
    return by_book(fallbacks={**FALLBACKS, action: fallback})


def with_policy(**changes: object) -> Make:
    """The operator's policy is not heeded."""

    def make(plan: Plan) -> Coordinator:
        return Coordinator(replace(plan, policy=replace(plan.policy, **changes)))  # type: ignore[arg-type]

    return make


class _Tokenless(Coordinator):
    """Sends no fencing tokens and believes that it holds leases for ever."""

    def handle(self, happening, now, wall):  # type: ignore[no-untyped-def]
        if isinstance(happening, coordinator.LeaseLost):
            return []
        return [
            replace(do, token=do.token if do.action is Action.REBOOT else 0)
            for do in super().handle(happening, now, wall)
        ]


class _Bootless(Coordinator):
    """Does not say in which boot a command is to be done."""

    def handle(self, happening, now, wall):  # type: ignore[no-untyped-def]
        return [replace(do, boot_id="") for do in super().handle(happening, now, wall)]


class _Forgetful(Coordinator):
    """Leaves nodes out of its report."""

    @property
    def outcomes(self):  # type: ignore[no-untyped-def]
        return {name: end for name, end in super().outcomes.items() if end is not Outcome.UNREACHABLE}


class _Untiring(Coordinator):
    """A node that failed gets another turn."""

    def _set_out(self, turn):  # type: ignore[no-untyped-def]
        why = self.situation.failed.pop(turn.node, None)
        super()._set_out(turn)
        if why is not None:
            self.situation.failed[turn.node] = why


class _Blind(Coordinator):
    """Looks at nodes through glasses that hide something."""

    hidden: Mapping[str, object] = {}

    def _saw(self, turn, seen):  # type: ignore[no-untyped-def]
        super()._saw(turn, replace(seen, **self.hidden))


def blind(**hidden: object) -> Make:
    return type("Blind", (_Blind,), {"hidden": hidden})


def mutant(name: str, make: Make, *breaks: str, faults: tuple[str, ...] = ()) -> Mutant:
    return Mutant(name, frozenset(breaks), make, faults)


READY, PROVE, CLOSE = PATHS[Place.READY], PATHS[Place.PROVE], PATHS[Place.CLOSE]
_GATED_ONCE = tuple(a for i, a in enumerate(READY.actions) if a is not Action.GATE or i < 3)
_GOOD_FIRST = (Action.LEASE, Action.MARK_GOOD, Action.CHECK, Action.UNDRAIN, Action.RELEASE)

MUTANTS = (
    mutant("nodes without limit", without_rule("max_unavailable"), "I1 max unavailable"),
    mutant("unknown nodes count as up", by_book(unknown_is_down=False), "I1 max unavailable"),
    mutant("two zones at a time", without_rule("zone"), "I1 one failure domain"),
    mutant("no canary first", without_rule("canary"), "canary"),
    mutant("quorum is not asked for", without_rule("quorum"), "I2 quorum"),
    mutant("the leader goes any time", without_rule("leader_last"), "I2 leader last"),
    mutant("leadership is not handed over", by_book(moves_leader=False), "I2 leader"),
    mutant(
        "no gate after the drain",
        with_paths({Place.READY: Path(_GATED_ONCE)}),
        "I2 quorum",
        "I2 leader",
        "I3 window",
        faults=("leader moves", "window closes", "veto"),
    ),
    mutant("windows are not heeded", without_rule("window"), "I3 window"),
    mutant(
        "windows are asked only before a turn",
        without_gate("window"),
        "I3 window",
        faults=("window closes", "clock jumps"),
    ),
    mutant("no lease", without_action(Place.READY, Action.LEASE), "I3 lease"),
    mutant("a lost lease is no matter", _Tokenless, "I3 lease", faults=("lease recreated",)),
    mutant("no drain", without_action(Place.READY, Action.DRAIN), "I3 drain"),
    mutant(
        "a drain that fails is no matter",
        with_fallback(Action.DRAIN, Fallback(Path((Action.ACTIVATE, Action.REBOOT, Action.SURVEY)), Outcome.FAILED)),
        "I3 drain",
    ),
    mutant("the booted slot may be unproven", blind(good=True), "I4 good slot"),
    mutant("the version is not read back", by_book(landed=(another_boot, right_slot)), "I5 proof"),
    mutant("the slot is not read back", by_book(landed=(another_boot,)), "I5 proof"),
    mutant("health is not asked for", without_action(Place.PROVE, Action.CHECK), "I5 soak"),
    mutant("no soak", with_policy(soak=0.0, samples=1), "I5 soak"),
    mutant("good before it is well", with_paths({Place.PROVE: Path(_GOOD_FIRST, Outcome.DONE)}), "I5 soak"),
    mutant(
        "ill is good enough",
        with_fallback(Action.CHECK, Fallback(Path((Action.MARK_GOOD, *CLOSE.actions[-2:])), Outcome.DONE)),
        "I5 soak",
    ),
    mutant("bad versions are forgotten", without_action(Place.CLOSE, Action.DENY), "I6 denied"),
    mutant("denials are not heeded", by_book(heed_denials=False), "I6 denied"),
    mutant(
        "a failed node gets another turn",
        _Untiring,
        "I7 one reboot",
        faults=("release: never boots", "power cut in turn"),
    ),
    mutant("leases are kept", without_action(Place.PROVE, Action.RELEASE), "I7 converges"),
    mutant("tickets are not read", blind(ticket=None), "I7 converges", "I8 cordon", "I7 one reboot"),
    mutant("work stays away", without_action(Place.PROVE, Action.UNDRAIN), "I8 cordon", "I1 max unavailable"),
    mutant("nodes are left out", _Forgetful, "I9 every node"),
    mutant("no failure budget", by_book(stops=()), "failure budget"),
    mutant("a stop stops nothing", without_rule("stopped"), "failure budget", "I6 denied"),
    mutant("any machine will do", by_book(same_machine=False), "same machine"),
    mutant("any boot will do", _Bootless, "I3 drain", "I5 soak", "I7 one reboot", "I4 good slot"),
)
