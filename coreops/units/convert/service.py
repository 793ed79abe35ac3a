"""What a unit runs and asks for, without systemd's words: the same for every target. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from coreops.errors import InputError
from coreops.model import Position
from coreops.units import command_line, docker_run, seconds, traps
from coreops.units.convert.loss import Loss, Note
from coreops.units.loading import Loaded
from coreops.units.placement import Wish

_FREE = {"docker.service", "docker.socket", "network.target", "network-online.target", "multi-user.target"}
_RESTART = {"always": "any", "on-failure": "on-failure", "on-abnormal": "on-failure", "on-abort": "on-failure"}
_IMAGE = re.compile(
    r"((\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:[0-9]+)?/)?"
    r"[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*(/[a-z0-9]+(([._]|__|-+)[a-z0-9]+)*)*"
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@[A-Za-z][A-Za-z0-9+._-]*:[0-9a-fA-F]{32,})?"
)
_UNIT = {
    "Requires": "another unit is needed first",
    "BindsTo": "it lives and dies with another unit",
    "PartOf": "it is restarted with another unit",
    "Requisite": "another unit is needed first",
    "After": "units start in an order",
    "Before": "units start in an order",
    "Wants": "another unit comes along",
}
_EXTRA = ("ExecStartPost", "ExecStop", "ExecStopPost", "ExecReload", "ExecCondition")
_KNOWN_SERVICE = {
    *("ExecStart", "ExecStartPre", *_EXTRA, "Environment", "EnvironmentFile", "Restart", "RestartSec", "Type"),
    *("TimeoutStopSec", "TimeoutStartSec", "TimeoutSec", "RemainAfterExit", "KillMode", "LimitNOFILE", "User", "Group"),
    *("StandardOutput", "StandardError", "SyslogIdentifier", "NotifyAccess", "OOMScoreAdjust", "Nice"),
}


@dataclass(slots=True)
class Service:
    """One unit. options: of ``docker run``, filled in. restart: any, on-failure or none; the spans are seconds."""

    name: str
    base: str
    description: str
    image: str
    arguments: tuple[str, ...]
    options: tuple[tuple[str, str, Position], ...]
    wish: Wish
    at: Position
    restart: str = "none"
    delay: float = 0.1
    stop: float = 10.0
    places: Mapping[str, Position] = field(default_factory=dict)
    losses: list[Loss] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)

    def same(self) -> tuple[object, ...]:
        """What makes two instances of a template one service."""
        return (self.image, self.arguments, tuple((k, v) for k, v, _ in self.options if k != "name"), self.restart)


def read(unit: Loaded) -> Service:
    """Raises InputError for a unit that no scheduler of containers can run."""
    file, name = unit.file, unit.name
    if name.type != "service":
        why = f"a {name.type} is systemd's own"
        raise InputError(
            f"{name.full} cannot be converted", where=file.path, why=why, next="keep it on `scheduler: units`"
        )
    run = traps.main(file)
    at = next((option.at for option in file.get("Service", "ExecStart")), Position(file.path))
    if run is None or not run.image:
        if known := next((trap for trap in traps.traps(file) if trap.at == at and trap.rule.startswith("no-")), None):
            raise InputError(
                f"{name.full} cannot be converted: {known.what}", where=known.at, why=known.why, next=known.next
            )
        raise InputError(
            f"{name.full} runs no container",
            where=at,
            why="its ExecStart is not docker run",
            next="keep it on `scheduler: units`, or put what it runs into an image",
        )
    variables = command_line.environment(file)
    losses: list[Loss] = []
    notes: list[Note] = []
    image, unknown = command_line.fill(run.image, name, variables)
    if not unknown and not _IMAGE.fullmatch(image):
        why = "an image is called like nginx:1 or registry.example:5000/team/app:1.2, in small letters"
        raise InputError(f"{image!r:.80} is not an image", where=run.at, why=why)

    def fill(text: str) -> str:
        filled, unknown = command_line.fill(text, name, variables)
        for each in unknown:
            why = f"only a node knows {each}" if each.startswith("%") else f"no Environment= sets {each}"
            losses.append(Loss(each, why, "write the value into the unit", run.at))
        return filled

    made = Service(
        name=name.short.replace("@", "-"),
        base=name.prefix,
        description=file.last("Unit", "Description"),
        image=fill(run.image),
        arguments=tuple(fill(word) for word in run.arguments),
        options=tuple((key, fill(value), run.at) for key, value in run.options),
        wish=unit.wish,
        at=run.at,
        restart=_RESTART.get(file.last("Service", "Restart", "no"), "none"),
        delay=seconds.read(file.last("Service", "RestartSec", "0.1")) or 0.1,
        stop=traps.stop_seconds(file, run),
        places={option.name: option.at for option in file.options if option.section == "X-Fleet"},
        losses=losses,
        notes=notes,
    )
    if run.shell:
        losses.append(Loss("sh -c", "a shell runs around docker", "have the unit run docker alone", run.at))
    _service(unit, made)
    _unit(unit, made)
    return made


def _service(unit: Loaded, made: Service) -> None:
    file, run = unit.file, traps.main(unit.file)
    name = run.last("name") if run else ""
    for option in file.options:
        if option.section == "Service" and option.name not in _KNOWN_SERVICE:
            why = "it is for the docker client here, not for the container"
            made.notes.append(Note(option.name, f"{why}: left out", option.at))
    for key, keep in (("ExecStartPre", ("pull", "rm", "kill", "stop")), ("ExecStop", ("stop", "kill", "rm"))):
        for command in command_line.commands(file, key):
            rest = docker_run.docker(docker_run.unwrapped(command)[0])
            if rest and rest[0] in keep:
                made.notes.append(Note(f"{key}=docker {rest[0]}", "the scheduler does that itself", command.at))
            else:
                why = "nothing runs on the node beside the container"
                made.losses.append(Loss(key, why, "do it in the image's entrypoint", command.at))
    for key in ("ExecStartPost", "ExecStopPost", "ExecReload", "ExecCondition"):
        for command in command_line.commands(file, key):
            rest = docker_run.docker(docker_run.unwrapped(command)[0])
            if rest[:1] == ["rm"] and name in rest:
                made.notes.append(Note(f"{key}=docker rm", "the scheduler does that itself", command.at))
            else:
                why = "nothing runs on the node beside the container"
                made.losses.append(Loss(key, why, "do it in the image", command.at))
    if len(command_line.commands(file, "ExecStart")) > 1:
        made.losses.append(Loss("ExecStart", "there are several", "one unit for each", made.at))
    for option in file.get("Service", "LimitNOFILE"):
        made.notes.append(Note("LimitNOFILE", "it was the docker client's; --ulimit is the container's", option.at))


def _unit(unit: Loaded, made: Service) -> None:
    for option in unit.file.options:
        if option.section == "Unit" and option.name in _UNIT:
            others = [word for word in option.value.split() if word not in _FREE]
            if others and option.name in ("After", "Before", "Wants"):
                made.notes.append(Note(f"{option.name}={' '.join(others)}", "services start in any order", option.at))
            elif others:
                instead = "have it try again until the other answers"
                made.losses.append(Loss(f"{option.name}={' '.join(others)}", _UNIT[option.name], instead, option.at))
        elif option.section == "Unit" and option.name.startswith(("Condition", "Assert")):
            made.losses.append(Loss(option.name, "nothing on the node is looked at", "use node labels", option.at))
        elif option.section == "Install":
            made.notes.append(Note(f"[Install] {option.name}", "a service runs until it is removed", option.at))


def fleet_losses(made: Service, target: str, able: Callable[[str], bool]) -> None:
    """What of [X-Fleet] a target has nothing for. able: which keys it has."""
    wish, at = made.wish, made.places
    for key, used, instead in (
        ("MachineOf", wish.machine_of, "give both the same MachineMetadata, or make them one unit"),
        ("Replaces", wish.replaces, "remove the old one first"),
    ):
        if used and not able(key):
            place = at.get(key) or at.get(f"X-Condition{key}") or made.at
            made.losses.append(Loss(f"{key}={' '.join(used)}", f"{target} has nothing like it", instead, place))
