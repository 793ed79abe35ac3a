"""The machine that walks every node along its path. Pure: a happening in, commands out; what time it is comes with it.

A rollout: take the rollout's lease; look at every node; stage ahead; then, as the rules allow, one turn after the
other. Every look at a node is answered by ``place``, and the place says which path is next: that is why a fresh start,
a return from a reboot and a ``resume`` after a crash are one mechanism. No state here is worth saving.
"""

from __future__ import annotations

from collections.abc import Mapping

from coreops.upgrade import window
from coreops.upgrade.coordinator import paths
from coreops.upgrade.coordinator.line import Line, held_at_gate, objection
from coreops.upgrade.coordinator.outbox import Outbox
from coreops.upgrade.coordinator.outcome import DOWN, FAILURES, LEFT_ALONE, Outcome, exit_code
from coreops.upgrade.coordinator.paths import Path
from coreops.upgrade.coordinator.place import BACKWARDS, Place, place
from coreops.upgrade.coordinator.rulebook import RULEBOOK, Rulebook
from coreops.upgrade.coordinator.rules import Situation, fits_some_day
from coreops.upgrade.coordinator.turn import Turn
from coreops.upgrade.coordinator.wave import Wave
from coreops.upgrade.observation import Health, Observation
from coreops.upgrade.plan import Plan
from coreops.upgrade.protocol import ROLLOUT, Action, Did, Do, Failed, FailureKind, Happening, LeaseLost, Stop, Tick


class Coordinator:
    """One run of one plan. Give it happenings until it is ``over``; ``wake`` says when it wants a Tick."""

    def __init__(self, plan: Plan, rulebook: Rulebook = RULEBOOK) -> None:
        nodes = {node.name: node for node in plan.nodes}
        self.plan = plan
        self.over = False
        self.refused = ""
        self.turns = {name: Turn(name, rank) for rank, name in enumerate(nodes)}
        self.situation = Situation(plan, nodes, plan.policy.turn)
        self._book = rulebook
        self._rollout = Turn(ROLLOUT, -1)
        self._line = Line(self.situation, rulebook.rules)
        self._wave = Wave()
        self._outbox = Outbox()

    # Asked from outside

    def begin(self, now: float, wall: float) -> list[Do]:
        """Start. Call once."""
        self.situation.now, self.situation.wall = now, wall
        if self.plan.start_none:
            self.situation.stopped = "only what is under way is finished"
        if self._book.unknown_is_down:
            for node in self.turns:
                self.situation.take(node, "not looked at yet")
        self._walk(self._rollout, Path((Action.LEASE,)))
        return self._outbox.flush()

    def handle(self, happening: Happening, now: float, wall: float) -> list[Do]:
        """Take one happening; return what is to be done now."""
        self.situation.now, self.situation.wall = now, wall
        match happening:
            case Did(serial=serial) | Failed(serial=serial):
                turn = self._outbox.answered(serial)
                if turn is not None:
                    self._answer(turn, happening)
            case Tick():
                for turn in self._outbox.expired(now):
                    turn.heard(False)
                    self._failed(turn, turn.silence(now), "unreachable")
            case Stop(why):
                self._stop(why)
            case LeaseLost(node, why):
                self._lease_lost(node, why)
        for stops in self._book.stops:
            if reason := stops(self.situation):
                self._stop(reason)
        for turn in self._line.leave():
            self.situation.take(turn.node, "its turn has begun")
            self._walk(turn, self._book.paths[Place.READY])
        for turn in self._wave.leave(self.situation, self.turns):
            self._begin(turn)
        self._finish()
        return self._outbox.flush()

    def wake(self) -> float | None:
        """When patience with something ends, or the window opens (monotonic seconds). None: nothing to wait for."""
        deadline = self._outbox.next_deadline()
        if deadline is not None or self.over:
            return deadline
        wait = window.changes_at(self.plan.policy.windows, self.situation.wall) - self.situation.wall
        return self.situation.now + max(1.0, wait)

    @property
    def outcomes(self) -> Mapping[str, Outcome]:
        """How nodes ended, as far as they have."""
        return {name: turn.outcome for name, turn in self.turns.items() if turn.outcome is not None}

    @property
    def exit_code(self) -> int:
        """DESIGN's exit codes, for a rollout that is over."""
        return exit_code(set(self.outcomes.values()), bool(self.refused))

    def why(self, node: str) -> str:
        """What a node has come to, or what it is waited for, in a sentence."""
        turn, now = self.turns[node], self.situation.now
        heard = f": {turn.why}" if turn.why else ""
        if turn.outcome is not None:
            return f"{turn.phase}{heard}"
        if turn.action is None:
            return f"ready: {objection(self._book.rules, self.situation, node)[1] or 'goes next'}"
        return f"{turn.phase} for {now - turn.since:.0f} s, patience ends in {turn.until - now:.0f} s{heard}"

    # Commands out

    def _walk(self, turn: Turn, path: Path) -> None:
        """Leave whatever was being done, and take this path from its beginning."""
        self._outbox.forget(turn)
        turn.left.clear()
        turn.left.extend(path.actions)
        turn.then = path.then
        self._step(turn)

    def _next(self, turn: Turn) -> None:
        """What was being done is done."""
        turn.left.popleft()
        self._step(turn)

    def _step(self, turn: Turn) -> None:
        """Ask for the next action that is needed; at the end of the path say what the node has come to."""
        while turn.left and turn.needless(self.plan.policy):
            turn.left.popleft()
        if turn.action is Action.DRAIN:
            self._wave.join(turn)
        elif turn.left:
            self._begin(turn)
        elif turn.then is not None:
            self._end(turn, turn.then)
        elif turn is not self._rollout:
            turn.place = Place.READY
            self._set_out(turn)

    def _begin(self, turn: Turn) -> None:
        """The first try of an action: patience with it begins here."""
        action, policy = turn.left[0], self.plan.policy
        name = "back" if turn.returning and action is Action.SURVEY else paths.PATIENCE.get(action, "act")
        turn.since = self.situation.now
        turn.until = turn.since + float(getattr(policy.patience, name)) + (action is Action.CHECK) * policy.soak
        turn.well_since, turn.samples, turn.said = -1.0, 0, ""
        if action in (Action.CORDON, Action.DRAIN):
            turn.half_done = True
        self._send(turn, turn.since)

    def _send(self, turn: Turn, at: float) -> None:
        action, turn.asked = turn.left[0], at
        self._outbox.send(turn, at, "" if action in paths.WITHOUT_BOOT else turn.boot_id, self._detail(turn, action))

    def _detail(self, turn: Turn, action: Action) -> str:
        if action is Action.MOVE_LEADER:
            return self.situation.heir(turn.node)
        if action is Action.DENY:
            came_from = turn.seen.passive_version if turn.seen else ""
            return came_from if turn.place is Place.PROVE else self.plan.version
        return ""

    # Answers in

    def _answer(self, turn: Turn, answer: Did | Failed) -> None:
        turn.heard(isinstance(answer, Did) or answer.kind != "unreachable")
        if isinstance(answer, Failed):
            self._failed(turn, answer.why, answer.kind)
        elif turn is self._rollout:
            self._rollout_did(answer)
        elif answer.seen is not None:
            self._saw(turn, answer.seen)
        elif answer.health is not None:
            self._sampled(turn, answer.health)
        else:
            self._did(turn, answer)

    def _did(self, turn: Turn, answer: Did) -> None:
        s = self.situation
        match turn.left[0]:
            case Action.LEASE:
                turn.token, turn.began = answer.token, s.now
            case Action.RELEASE:
                turn.token = 0
                if turn.then is Outcome.DONE:
                    s.measured(s.now - turn.began)
            case Action.DRAIN:
                s.drained.add(turn.node)
            case Action.UNDRAIN:
                s.drained.discard(turn.node)
                turn.half_done = False
            case Action.REBOOT:
                turn.left_boot, turn.returning = turn.boot_id, True
        self._next(turn)

    def _saw(self, turn: Turn, seen: Observation) -> None:
        """Whatever was thought of the node: this is where it stands."""
        s = self.situation
        if self._book.same_machine and turn.machine_id not in ("", seen.machine_id):
            self._failed(turn, f"another machine answers: machine-id {seen.machine_id}", "identity")
            return
        if turn.left_boot and turn.left_boot == seen.boot_id:
            self._again(turn, "it has not rebooted yet", "failed")
            return
        spot, turn.why = place(seen, self.plan, self._book.landed)
        if spot in BACKWARDS:
            s.failed.setdefault(turn.node, turn.why)
        turn.place = Place.STUCK if spot is turn.place is Place.GO_BACK else spot
        turn.machine_id, turn.boot_id, turn.seen = seen.machine_id, seen.boot_id, seen
        turn.left_boot, turn.returning = "", False
        turn.half_done = seen.drained or seen.ticket is not None
        (s.drained.add if seen.drained else s.drained.discard)(turn.node)
        s.count(turn.node, turn.holds, turn.why)
        self._set_out(turn)

    def _set_out(self, turn: Turn) -> None:
        """Take the path that begins at the node's place, or stand in line for it."""
        assert turn.place is not None
        s, path = self.situation, self._book.paths[turn.place]
        if turn.place is Place.READY and not turn.holds and turn.node in s.failed:
            self._end(turn, Outcome.FAILED)
        elif turn.place is Place.READY and not turn.holds:
            turn.left.clear()
            s.free(turn.node)
            self._line.join(turn)
        elif turn.place is Place.READY and (turn.node in s.failed or held_at_gate(self._book.rules, s, turn.node)[0]):
            self._walk(turn, Path((Action.LEASE, *paths.CALL_OFF.actions)))
        elif turn.place is Place.STAGE and s.stopped and not turn.half_done:
            self._end(turn, Outcome.NOT_REACHED, s.stopped)
        elif turn.place is Place.PROVE and self.plan.deny_source:
            self._walk(turn, Path((Action.LEASE, Action.DENY, *path.actions[1:]), path.then))
        elif turn.place is Place.BLOCKED and turn.seen and turn.seen.drained and turn.seen.ticket is None:
            self._walk(turn, Path((Action.LEASE, Action.UNDRAIN, Action.RELEASE), Outcome.BLOCKED))
        else:
            self._walk(turn, path)

    def _sampled(self, turn: Turn, health: Health) -> None:
        """A gate opens at one good sample; a check wants an unbroken row of them, for as long as the soak."""
        now, policy = self.situation.now, self.plan.policy
        if health.store is not None or self.situation.nodes[turn.node].member:
            self.situation.store = health.store or self.situation.silent_store()
        if turn.left[0] is Action.GATE:
            self._at_gate(turn, health)
        elif health.verdict != "ok":
            turn.well_since, turn.samples = -1.0, 0
            self._again(turn, "; ".join(health.reasons) or health.verdict, "failed")
        else:
            turn.samples += 1
            turn.well_since = now if turn.well_since < 0 else turn.well_since
            if turn.samples >= policy.samples and turn.asked >= turn.well_since + policy.soak:
                self._next(turn)
            else:
                self._send(turn, policy.next_sample(now, turn.well_since))

    def _at_gate(self, turn: Turn, health: Health) -> None:
        """May it go down now? On the way back to the old slot only the store has a say."""
        s, back = self.situation, turn.place is Place.GO_BACK
        leave, no = held_at_gate(self._book.rules, s, turn.node, going_back=back)
        if leave:
            turn.why = no
            self._walk(turn, paths.CALL_OFF if turn.half_done else paths.LET_GO)
        elif no or (health.verdict != "ok" and not back):
            self._again(turn, no or "; ".join(health.reasons) or health.verdict, "failed")
        elif self._book.moves_leader and s.store and s.store.leader == turn.node and s.heir(turn.node):
            turn.left.appendleft(Action.MOVE_LEADER)
            self._begin(turn)
        else:
            self._next(turn)

    # Failures

    def _failed(self, turn: Turn, why: str, kind: FailureKind) -> None:
        """Not done. Some failures pass, some say that the node is not where it was thought to be; the rest is final."""
        action = turn.left[0]
        if turn.silent and turn is not self._rollout and self._book.unknown_is_down:
            self.situation.take(turn.node, why)
        if turn is self._rollout:
            self._rollout_failed(why, kind)
        elif kind == "fenced":
            self._lease_lost(turn.node, why)
        elif kind == "identity":
            self._end(turn, Outcome.LOST if turn.holds else Outcome.UNREACHABLE, why)
        elif kind == "rebooted":
            turn.returning = True
            self._walk(turn, paths.LOOK)
        elif action is Action.REBOOT and kind == "unreachable":
            turn.left_boot, turn.returning = turn.boot_id, True
            self._next(turn)
        elif (kind == "unreachable" and action is not Action.ON_FAILURE) or action in paths.AGAIN:
            self._again(turn, why, kind)
        else:
            self._gave_up(turn, why, kind)

    def _again(self, turn: Turn, why: str, kind: FailureKind) -> None:
        """Try the same once more, as long as patience lasts."""
        turn.why = turn.said = why
        turn.well_since, turn.samples = -1.0, 0
        now, patience = self.situation.now, self.plan.policy.patience
        at = now + patience.pause(now - turn.since)
        if at + patience.interval <= turn.until:
            self._send(turn, at)
        else:
            self._gave_up(turn, why, kind)

    def _gave_up(self, turn: Turn, why: str, kind: FailureKind) -> None:
        """An action failed for good. What follows depends on what the node has been through."""
        action = turn.left[0]
        turn.why = f"{action.value.replace('_', ' ')}: {why}"
        if action in paths.NEVER_FATAL:
            self._next(turn)
            return
        self.situation.failed.setdefault(turn.node, turn.why)
        if action is Action.SURVEY and kind == "failed" and not turn.holds:
            self._end(turn, Outcome.BLOCKED)
            return
        fallback = self._book.fallbacks[paths.blamed(action, told=kind == "failed", half_done=turn.half_done)]
        if turn.place in BACKWARDS or (fallback.path is None and turn.holds):
            self._end(turn, Outcome.LOST)
        elif fallback.path is None:
            self._end(turn, fallback.outcome)
        else:
            turn.place = Place.GO_BACK if fallback.outcome is Outcome.ROLLED_BACK else turn.place
            turn.left_boot, turn.returning = "", False
            self._walk(turn, Path(fallback.path.actions, fallback.outcome))

    def _lease_lost(self, node: str, why: str) -> None:
        """Somebody else is, or may be, in charge: hands off."""
        everybody = node == ROLLOUT
        if not everybody and not self.turns[node].token:
            return
        self._stop(f"the lease of {'the rollout' if everybody else node} was lost: {why}")
        for turn in self.turns.values() if everybody else (self.turns[node],):
            if turn.outcome is None:
                self._end(turn, Outcome.LOST if turn.holds else Outcome.NOT_REACHED, why)
        if everybody:
            self._outbox.forget(self._rollout)
            self._rollout.token, self.refused, self.over = 0, why, True

    # The rollout as a whole

    def _rollout_did(self, answer: Did) -> None:
        if self._rollout.left[0] is Action.RELEASE:
            self.over = True
            return
        self._rollout.token = answer.token
        if self.plan.version in answer.denied and self._book.heed_denials:
            self.refused = f"{self.plan.version} is denied: it was rolled back before"
            self.situation.stopped = self.refused
        for turn in self.turns.values():
            self._walk(turn, paths.LOOK)

    def _rollout_failed(self, why: str, kind: FailureKind) -> None:
        at = self.situation.now + self.plan.policy.patience.interval
        if kind == "unreachable" and at < self._rollout.until:
            self._send(self._rollout, at)
            return
        self.over = True
        if self._rollout.token == 0:
            self.refused = why
            for turn in self.turns.values():
                self._end(turn, Outcome.NOT_REACHED, why)

    def _end(self, turn: Turn, outcome: Outcome, why: str = "") -> None:
        """A node has come to its end."""
        s, node = self.situation, turn.node
        if outcome in LEFT_ALONE and (turn.half_done or turn.silent):
            outcome = Outcome.LOST if turn.half_done else Outcome.UNREACHABLE
        self._outbox.forget(turn)
        turn.left.clear()
        turn.outcome, turn.why, turn.since = outcome, why or turn.why, s.now
        s.members_left.discard(node)
        s.canaries_left.discard(node)
        if outcome in FAILURES:
            s.failed.setdefault(node, turn.why)
        s.count(node, outcome in DOWN or node in s.drained or not turn.seen, f"{outcome.value}: {turn.why}")

    def _stop(self, why: str) -> None:
        """Nothing new begins. Who has a turn is called off at the next gate, or goes on when it has rebooted."""
        if self.situation.stopped:
            return
        self.situation.stopped = why
        for turn in self.turns.values():
            if turn.outcome is None and turn.action in (None, Action.STAGE) and not turn.holds:
                self._end(turn, Outcome.NOT_REACHED, why)

    def _finish(self) -> None:
        """When nothing is under way and nothing may begin, the rollout is over."""
        if self._outbox or self.over:
            return
        left = [turn for turn in self.turns.values() if turn.outcome is None]
        if left:
            rule, no = objection(self._book.rules, self.situation, left[0].node)
            if rule and rule.name == "window" and self.plan.policy.wait_for_window and fits_some_day(self.situation):
                return
            if not self.situation.stopped and not any(turn.outcome is Outcome.DONE for turn in self.turns.values()):
                self.refused = no
            for turn in left:
                self._end(turn, Outcome.NOT_REACHED, no)
        self._walk(self._rollout, Path((Action.RELEASE,)))
