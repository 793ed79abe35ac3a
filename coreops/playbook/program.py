"""One host's way through one play: tasks become segments, records become results. Pure; implements engine's Program.

Tasks are walked in order and collected into one segment until somebody looks at a value that is still pending, the user
changes, or the controller must decide. What has been begun after a step that failed is taken back and begun again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from coreops.engine.program import Wait
from coreops.errors import InputError, InterruptedRun
from coreops.events import TaskFinished
from coreops.model import Record, Segment, Step, TaskResult
from coreops.playbook import judging, results, work
from coreops.playbook.hostvars import refuse_circle
from coreops.playbook.ledger import Ledger
from coreops.playbook.pending import CheckUnknown, Pending, PendingReference, Signal, WaitReference
from coreops.playbook.plays import Task
from coreops.playbook.prepare import prepare
from coreops.playbook.strategy import Behind
from coreops.playbook.vars import HostState, Scope, View
from coreops.playbook.walk import Mark, Walk
from coreops.playbook.work import Run, Unit

if TYPE_CHECKING:
    from coreops.playbook.bound import BoundPlay


class Cut(Signal):
    """The segment ends here."""


class HostProgram:
    """See the module's docstring."""

    def __init__(self, play: BoundPlay, host: str, view: View) -> None:
        self.host = host
        self.counts = {"ok": 0, "changed": 0, "failed": 0, "skipped": 0}
        self._fatal = False
        self._play = play
        self._strategy = play.strategy
        self._view = view
        self._state: HostState = view.state
        self._walk = Walk(play.tasks, play.handlers)
        self._run: Run | None = None
        self._units: deque[Unit] = deque()
        self._steps: list[Step] = []
        self._key: work.Key | None = None
        self._ledger = Ledger(view.state)
        self._seq = 0
        self._segments = 0
        self._gathers = 0
        self._failure: str | None = None
        self._gather = bool(play.play.gather_facts)
        self._become = view.state.known.get("ansible_become", play.become_of(host))
        self._state.finished = False
        self._strategy.enter(host)

    @property
    def failure(self) -> str | None:
        return self._failure

    @property
    def failed_fatally(self) -> bool:
        return self._fatal and self._strategy.over

    def abandon(self) -> None:
        """The host will get no further (unreachable, stopped): nobody shall wait for it."""
        self._take_back_unanswered()
        self._fail(self._current())

    def next(self) -> Segment | Wait | None:
        """Walk on and return the next segment, a Wait, or None at the end of the play."""
        self._take_back_unanswered()
        self._settle()
        if self._failure is None:
            try:
                found = self._collect()
            except InputError as error:
                self._refuse(error)
            else:
                if found is not None:
                    return found
        self._state.finished = True
        self._strategy.leave(self.host)
        return None

    def feed(self, record: Record) -> None:
        """Take the record of the next step of the last segment."""
        unit = next((unit for unit in self._units if not unit.complete), None)
        if unit is None or unit.steps[len(unit.records)].id != record.step:
            raise ValueError(f"{self.host}: a record of {record.step!r} was not expected")
        unit.take(record)
        self._drain()

    def _settle(self) -> None:
        """Everything sent has been answered: others may see it, and nothing before this is ever taken back."""
        self._ledger.settle()

    def _collect(self) -> Segment | Wait | None:
        self._steps, self._key = [], None
        try:
            if self._gather or (self._state.want_facts and self._state.facts is None):
                self._add_facts()
            while self._failure is None and self._advance():
                pass
        except Cut:
            pass
        except PendingReference as reference:
            wanted = reference.facts or (self._steps and self._state.facts is None and self._play.mentions_facts)
            if wanted and self._key in (None, self._own_key()):
                self._add_facts()
            elif not self._steps:
                raise RuntimeError(f"{reference.what} is pending, and nothing is under way") from reference
        except WaitReference as reference:
            if not self._steps:
                return self._wait(reference)
        except Behind as behind:
            if not self._steps:
                return Wait(frozenset({behind.host}), "strategy: linear keeps hosts at the same task", self._seq)
        if not self._steps:
            return None
        self._state.wait = None
        user, check, diff = self._key or self._own_key()
        self._segments += 1
        return Segment(f"{self._play.id}.s{self._segments}", tuple(self._steps), user, check, diff)

    def _own_key(self) -> work.Key:
        return (None, self._play.check, self._play.diff)

    def _wait(self, reference: WaitReference) -> Wait:
        self._settle()
        refuse_circle(self.host, reference, self._play.state)
        self._state.wait = (reference.host, reference.name)
        return Wait(frozenset({reference.host}), f"{reference.what} is not known yet", self._seq)

    # -- walking ---------------------------------------------------------------------------------------------------

    def _mark(self) -> tuple[Mark, Run | None, int]:
        return self._walk.mark, self._run, self._run.next if self._run else 0

    def _return_to(self, mark: tuple[Mark, Run | None, int]) -> None:
        """Forget everything under way and go on from there."""
        self._units.clear()
        self._walk.mark, self._run, position = mark
        if self._run is not None:
            self._run.next = position
        if isinstance(self._state.facts, Pending):
            self._state.facts = None

    def _take_back_unanswered(self) -> None:
        if self._units:
            first = self._units[0]
            self._return_to(first.before)
            self._ledger.take_back(first.seq - 1)

    def _advance(self) -> bool:
        """Begin the next item of the walk. False at the end of the play."""
        before = self._mark()
        if self._run is None:
            task = self._open_task()
            if task is None:
                return False
            scope, id = Scope(self._view, None, task.vars), self._walk.id_of(task, self._play.id)
            self._run = work.open_run(task, scope, id, self._walk.after(task))
        run = self._run
        unit = self._begin(run)
        if unit.steps and self._key is not None and self._key != unit.key:
            raise Cut
        self._seq += 1
        unit.seq, unit.before = self._seq, before
        run.next += 1
        if run.next >= len(run.items):
            self._run = None
            self._walk.mark = run.after
        unit.after = self._mark()
        self._enter(unit)
        last = unit.steps and run.next >= len(run.items)
        doomed = not unit.ignore and any(result is not None and result.failed for result in run.results)
        return not (last and (doomed or judging.decides(unit))) and not judging.ends_segment(unit)

    def _open_task(self) -> Task | None:
        while True:
            if self._play.ended:
                return None
            task = self._walk.look()
            if task is not None:
                self._keep_step(task)
            if task is None or not task.meta:
                return task
            busy = any(unit.run.task.notify for unit in self._units)
            if task.meta in ("flush", "flush_handlers"):
                if busy or (self._walk.flushing and self._units):
                    raise Cut
                if not self._walk.flushing and task.when and work.holds(task.when, Scope(self._view)) is not None:
                    self._walk.step()
                    continue
                self._walk.flush()
            elif work.holds(task.when, Scope(self._view)) is not None or task.meta == "noop":
                self._walk.step()
            else:
                if self._units:
                    raise Cut
                self._play.ended = self._play.ended or task.meta == "end_play"
                self._walk.end()

    def _keep_step(self, task: Task) -> None:
        """Begin a task (or a handler, or a meta task) only when the others of the batch may."""
        place = self._walk.place(task)
        if not self._strategy.arrived(self.host, place):
            if self._units:
                raise Cut
            self._settle()
            self._seq += 1
            self._strategy.arrive(self.host, place)
        self._strategy.wait(self.host)
        if (why := self._strategy.why_stop(self.host)) is not None:
            self._walk.end()
            raise InterruptedRun(f"stopped before task {task.title!r}", where=self.host, why=why)

    # -- beginning -------------------------------------------------------------------------------------------------

    def _begin(self, run: Run) -> Unit:
        task, index = run.task, run.next
        if not run.items:
            return Unit(run, 0, run.scope, result=results.skipped("the loop has no items"))
        scope = work.item_scope(task, run.scope, index, run.items[index])
        unit = Unit(run, index, scope)
        try:
            with work.located(task.position, scope):
                if task.when and (reason := work.holds(task.when, scope)) is not None:
                    unit.result = results.skipped(f"when: {reason}", reason)
                elif run.loops and run.items == [None]:
                    work.loop_items(task, scope)
                if unit.result is None:
                    self._prepare(unit)
        except CheckUnknown as unknown:
            what = unknown.what
            unit.result = results.skipped(f"check mode: needs {what}, which was not run")
            for name in task.args if task.module is not None and task.module.name == "set_fact" else ():
                self._ledger.write(self._seq + 1, name, Pending(lambda: CheckUnknown(what)))
        return unit

    def _prepare(self, unit: Unit) -> None:
        module = unit.run.task.module
        assert module is not None
        steps = prepare(unit, self._play, self._become)
        if steps or unit.context is None:
            return
        unit.result = judging.judge(unit, module.result(unit.args, unit.context, ()), check=self._play.check)
        if unit.result.failed and not unit.ignore and self._units:
            raise Cut

    def _enter(self, unit: Unit) -> None:
        """Take a unit that has been begun into the segment; what is known already is done as soon as its turn comes."""
        if unit.steps:
            self._key = unit.key
            self._steps.extend(unit.steps)
        task = unit.run.task
        if task.register and (unit.result is None or unit.run.loops):
            what = f"the result {task.register!r} of {unit.run.title!r}"
            self._ledger.write(unit.seq, task.register, Pending(lambda: PendingReference(what)))
        if unit.result is not None:
            self._learn(unit, unit.result)
            if task.register and not unit.run.loops:
                self._ledger.write(
                    unit.seq, task.register, results.registered(unit.result, unit.run.title, check=self._play.check)
                )
        elif task.module is not None and task.module.name == "setup":
            self._state.facts = Pending(lambda: PendingReference("facts"))
        self._units.append(unit)
        self._drain()

    def _add_facts(self) -> None:
        self._gather = self._state.want_facts = False
        task = self._play.facts_task
        before = self._mark()
        run = Run(task, f"{self._play.id}.facts", task.title, Scope(self._view), [None], [None], None)
        self._gathers += 1
        if self._gathers > 1:
            run.id += str(self._gathers)
        self._seq += 1
        unit = Unit(run, 0, run.scope, seq=self._seq, before=before, after=before)
        self._prepare(unit)
        unit.key = self._own_key()
        self._enter(unit)

    # -- finishing -------------------------------------------------------------------------------------------------

    def _drain(self) -> None:
        """Finish, in order, every unit whose records are in."""
        while self._units and self._units[0].complete:
            unit = self._units.popleft()
            if unit.result is None:
                assert unit.run.task.module is not None
                assert unit.context is not None
                records = unit.records[unit.prelude :]
                raw = (
                    unit.run.task.module.result(unit.args, unit.context, records)
                    if records
                    else TaskResult(failed=True, message="the wait before this attempt failed")
                )
                judged = judging.judge(unit, raw, check=self._play.check)
                unit.result, again = judging.retry(unit, judged, check=self._play.check)
                if again:
                    unit.run.attempt += 1
                    self._return_to((unit.before[0], unit.run, unit.item))
                    self._ledger.take_back(unit.seq - 1)
                    return
                unit.run.attempt = 0
                self._learn(unit, unit.result)
            self._finish(unit, unit.result)

    def _learn(self, unit: Unit, result: TaskResult) -> None:
        """Take over set_fact's variables and setup's facts."""
        module = unit.run.task.module
        if module is None or result.skipped:
            return
        if module.name == "setup":
            self._state.facts = results.facts_of(result.data)
        elif module.name == "set_fact" and not result.failed:
            for name, value in result.data["ansible_facts"].items():
                self._ledger.write(unit.seq, name, value)

    def _finish(self, unit: Unit, result: TaskResult) -> None:
        run, task = unit.run, unit.run.task
        if run.results:
            run.results[unit.item] = result
        self._report(unit, result)
        if result.changed and task.notify:
            self._walk.notify(self._play.notified(task, unit.scope))
        if unit.item + 1 >= len(run.items):
            self._close(unit)
        if unit.broken:
            self._return_to(unit.after)
        failed = self._failure is not None and not self._state.finished
        if unit.broken or failed:
            self._ledger.take_back(unit.seq)
        if failed:
            self._fail(task)

    def _report(self, unit: Unit, result: TaskResult) -> None:
        item = work.label_of(unit, secret=result.secret)
        seconds = sum(record.seconds for record in unit.records)
        ignored = result.failed and unit.ignore
        shown = results.shown(result)
        self._play.emit(TaskFinished(self.host, unit.run.id, unit.run.title, shown, item, ignored, seconds))

    def _close(self, unit: Unit) -> None:
        """All items of a task are done: register, count, and fail the host if the task failed."""
        run, task = unit.run, unit.run.task
        done = [result for result in run.results if result is not None] or [results.skipped("the loop has no items")]
        if task.register:
            if run.loops:
                data = results.looped(
                    done[: len(run.items)], run.items, task.loop_var, run.title, check=self._play.check
                )
            else:
                data = results.registered(done[0], run.title, check=self._play.check)
            self._ledger.write(unit.seq, task.register, data)
        failed = next((result for result in done if result.failed), None)
        if failed is not None and not unit.ignore:
            self.counts["failed"] += 1
            message = results.HIDDEN if failed.secret else failed.message or "failed"
            self._failure = self._failure or f"{task.position}: task {run.title!r} failed: {message}"
        elif all(result.skipped for result in done):
            self.counts["skipped"] += 1
        elif task is not self._play.facts_task:
            self.counts["ok"] += 1
            self.counts["changed"] += any(result.changed for result in done)

    def _current(self) -> Task | None:
        return self._run.task if self._run else self._walk.look()

    def _fail(self, task: Task | None) -> None:
        """The host takes no further part, because of this task; nobody shall wait for it."""
        self._settle()
        self._state.finished = True
        self._fatal = self._fatal or (task is not None and task.any_errors_fatal)
        self._strategy.leave(self.host, failed=True, fatal=self._fatal)

    def _refuse(self, error: InputError) -> None:
        """A mistake in the playbook that only this host shows; what was collected is not sent."""
        self._take_back_unanswered()
        self._steps.clear()
        self._failure = str(error)
        self.counts["failed"] += 1
        result = TaskResult(failed=True, message=str(error), data={"msg": str(error)})
        task = self._current()
        self._fail(task)
        if task is not None:
            id = self._walk.id_of(task, self._play.id)
            self._play.emit(TaskFinished(self.host, id, task.title, result))
