"""What happens to the controller: it is killed, suspended, interrupted, doubled; its clock jumps."""

from __future__ import annotations

from coreops.upgrade.rehearse.controller import Controller
from coreops.upgrade.rehearse.faults.fault import Fault
from coreops.upgrade.rehearse.simulation import Simulation

HOUR = 3600.0


def _doom(sim: Simulation, controller: Controller) -> bool:
    """It dies within this step: before its commands are sent, after some of them, or after all."""
    if sim.calm or not controller.working:
        return False
    controller.doomed = sim.rng.choice((0, 0, 1, 99))
    return True


def killed(sim: Simulation) -> None:
    def kill(controller: Controller) -> None:
        if _doom(sim, controller):
            sim.start_later(sim.rng.choice((5.0, 60.0, 600.0)), takes_over=True)

    sim.moment(kill)


def killed_again(sim: Simulation) -> None:
    for _ in range(3):
        killed(sim)


def killed_for_good(sim: Simulation) -> None:
    sim.moment(lambda controller: _doom(sim, controller))


def second_controller(sim: Simulation) -> None:
    sim.start_later(sim.rng.choice((0.0, 0.05, 0.3, 60.0, 300.0)))


def suspended(sim: Simulation) -> None:
    def suspend(controller: Controller) -> None:
        if sim.calm:
            return
        seconds = sim.rng.choice((30.0, HOUR))
        controller.sleep(sim.rng.random() < 0.5, seconds)
        if sim.rng.random() < 0.6:
            sim.start_later(sim.rng.uniform(0.2, 1.2) * seconds, takes_over=True)

    sim.moment(suspend)


def interrupted(sim: Simulation) -> None:
    sim.moment(lambda controller: controller.soon(lambda: controller.stop("interrupted")))


def aborted(sim: Simulation) -> None:
    def kill(controller: Controller) -> None:
        if _doom(sim, controller):
            sim.start_later(30.0, takes_over=True, start_none=True)

    sim.moment(kill)


def clock_jumps(sim: Simulation) -> None:
    for _ in range(2):
        by = sim.rng.choice((-24 * HOUR, -HOUR, HOUR, 24 * HOUR))
        sim.moment(lambda controller, by=by: controller.jump(by))  # type: ignore[misc]


FAULTS = (
    Fault("killed", (1, 3, 7), "kill -9 of the controller in the middle of any step; resume follows", killed),
    Fault("killed again", (1, 3, 7), "up to three such kills, also of the run that resumes", killed_again),
    Fault("killed for good", (1, 7), "kill -9; nobody resumes until all else has happened", killed_for_good),
    Fault("aborted", (1, 6), "kill -9, then coreops abort: finish what is under way", aborted),
    Fault("second controller", (2,), "somebody else starts the same upgrade", second_controller),
    Fault("suspended", (5, 56), "the controller sleeps and wakes; meanwhile somebody may have resumed", suspended),
    Fault("interrupted", (6,), "Ctrl-C", interrupted),
    Fault("clock jumps", (4, 46), "the controller's clock jumps by an hour or a day, either way", clock_jumps),
)
