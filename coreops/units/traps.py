"""What goes wrong with units that run containers, and other things that fleet's units were wont to do. Pure.

Each trap is told with file:line, why it bites, and what to do. None of them keeps a unit from running.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from coreops.model import Position
from coreops.units import command_line, docker_run, seconds
from coreops.units.command_line import Command
from coreops.units.docker_run import DockerRun
from coreops.units.unit_file import UnitFile

_STOP = 10.0
"""What docker waits for a container to end before it kills it."""
_START = 90.0
_EXEC = ("ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost")
_OLD_UNITS = ("etcd.service", "etcd2.service", "fleet.service", "flanneld.service", "locksmithd.service")
_V2 = re.compile(r"\betcdctl\b.*\s(set|mk|mkdir|setdir|update|ls|rm|rmdir|exec-watch)\s|--ttl\b|/v2/keys\b")


@dataclass(frozen=True, slots=True)
class Trap:
    """rule: a name to look up in docs/fleet-units.md."""

    rule: str
    at: Position
    what: str
    why: str
    next: str

    def __str__(self) -> str:
        return f"{self.at}: {self.what} [{self.rule}]\n  why: {self.why}\n  next: {self.next}"


def traps(file: UnitFile) -> tuple[Trap, ...]:
    """Everything that was found, in the order of the file."""
    found: dict[tuple[str, Position], Trap] = {}
    for check in _CHECKS:
        for trap in check(file):
            found.setdefault((trap.rule, trap.at), trap)
    return tuple(sorted(found.values(), key=lambda trap: (trap.at.line, trap.rule)))


def main(file: UnitFile) -> DockerRun | None:
    """The container that the unit is about."""
    for command in command_line.commands(file, "ExecStart"):
        if run := docker_run.find(command):
            return run
    return None


def stop_seconds(file: UnitFile, run: DockerRun) -> float:
    """How long docker waits for the container before it kills it."""
    for command in command_line.commands(file, "ExecStop"):
        rest = docker_run.docker(docker_run.unwrapped(command)[0])
        if rest[:1] == ["stop"]:
            for flag, value in zip(rest, [*rest[1:], ""], strict=True):
                name, equals, text = flag.partition("=")
                if flag[:2] == "-t" and flag[2:].isdigit():
                    name, equals, text = "-t", "=", flag[2:]
                text = text if equals else value
                if name in ("-t", "--time", "--timeout") and text.isdigit():
                    return float(text)
    return float(run.last("stop-timeout")) if run.last("stop-timeout").isdigit() else _STOP


def _shell(file: UnitFile) -> Iterator[Trap]:
    run = main(file)
    if run is not None and run.shell:
        yield Trap(
            "docker-under-shell",
            run.at,
            "docker is run by a shell that stays",
            "systemd signals the shell, which tells docker nothing: the container outlives the unit",
            'write exec before docker, as in sh -c "exec docker run ...", or leave the shell out',
        )


def _detached(file: UnitFile) -> Iterator[Trap]:
    run, kind = main(file), file.last("Service", "Type", "simple")
    stays = kind == "oneshot" and file.last("Service", "RemainAfterExit") in ("yes", "true", "1", "on")
    if run is not None and run.has("detach") and kind != "forking" and not stays:
        yield Trap(
            "docker-detached",
            run.at,
            f"docker run -d in a unit of Type={kind}",
            "docker ends at once, so systemd takes the unit for ended, and with Restart= starts it again and again",
            "remove -d: systemd then watches the client for as long as the container runs",
        )


def _names(file: UnitFile) -> Iterator[Trap]:
    run = main(file)
    if run is None:
        return
    name = run.last("name")
    if not name:
        yield Trap(
            "docker-no-name",
            run.at,
            "the container has no name",
            "when the client is killed the container goes on, nothing can stop it, and a restart makes a second one",
            "add --name %p-%i (or %n) and ExecStop=docker stop of the same name",
        )
        return
    before = command_line.commands(file, "ExecStartPre")
    removes = [command for command in before if _removes(command, name)]
    if not removes:
        rm = " (--rm removes it only if the client lives to do so)" if run.has("rm") else ""
        yield Trap(
            "docker-name-taken",
            run.at,
            f"nothing removes an old container {name}",
            f"after a crash or a kill the old container still has the name{rm}, and the unit never starts again",
            f"add: ExecStartPre=-/usr/bin/docker rm -f {name}",
        )
    for command in removes:
        if "-" not in command.signs:
            yield Trap(
                "docker-rm-must-work",
                command.at,
                "the unit does not start when there is no old container",
                "docker rm fails then, and ExecStartPre= without a - has to work",
                "write ExecStartPre=- before the path",
            )


def _stop(file: UnitFile) -> Iterator[Trap]:
    run = main(file)
    if run is None:
        return
    option = next(iter(reversed(file.get("Service", "TimeoutStopSec") or file.get("Service", "TimeoutSec"))), None)
    allowed = seconds.read(option.value) if option else _START
    needed = stop_seconds(file, run)
    if option is not None and allowed is not None and 0 < allowed <= needed:
        yield Trap(
            "stop-timeout",
            option.at,
            f"systemd waits {allowed:g} s for a stop, docker {needed:g} s",
            "systemd kills the docker client first; the container goes on, or loses what it was writing",
            f"set TimeoutStopSec={needed + 10:g} or more",
        )
    if option is None and needed >= _START:
        yield Trap(
            "stop-timeout",
            run.at,
            f"systemd waits {_START:g} s for a stop, docker {needed:g} s",
            "systemd kills the docker client first; the container goes on, or loses what it was writing",
            f"set TimeoutStopSec={needed + 10:g} or more",
        )
    stops = [c for c in command_line.commands(file, "ExecStop") if docker_run.docker(docker_run.unwrapped(c)[0])]
    if not stops and not run.has("init"):
        yield Trap(
            "entrypoint-shell-form",
            run.at,
            "whether the container hears SIGTERM depends on its image",
            "with ENTRYPOINT or CMD in shell form its first process is sh, which does not pass the signal on: each "
            "stop then takes the whole timeout and ends in SIGKILL",
            'use the form ["program", "argument"] in the image, or docker run --init; add ExecStop=docker stop',
        )


def _limits(file: UnitFile) -> Iterator[Trap]:
    run, option = main(file), next(iter(file.get("Service", "LimitNOFILE")), None)
    given = run is not None and any(value.startswith("nofile") for value in run.all("ulimit"))
    if run is not None and option is not None and not given:
        yield Trap(
            "ulimit-of-the-client",
            option.at,
            "LimitNOFILE= is for the docker client, not for the container",
            "containers are children of the docker engine and get its limits, often 1024 open files",
            f"add --ulimit nofile={option.value} to docker run, or set docker_ulimits in the inventory",
        )
    elif run is not None and not given:
        yield Trap(
            "ulimit",
            run.at,
            "the container gets the engine's limit of open files",
            "that is often 1024, which servers run into under load",
            "add --ulimit nofile=65536, or set docker_ulimits in the inventory",
        )


def _pull(file: UnitFile) -> Iterator[Trap]:
    limit = seconds.read(file.last("Service", "TimeoutStartSec") or file.last("Service", "TimeoutSec", "90"))
    for command in command_line.commands(file, "ExecStartPre"):
        rest = docker_run.docker(docker_run.unwrapped(command)[0])
        if rest[:1] == ["pull"] and limit is not None and 0 < limit <= _START:
            yield Trap(
                "pull-timeout",
                command.at,
                f"the image must be pulled within {limit:g} s",
                "systemd ends a start that takes longer than TimeoutStartSec; the next try begins the pull anew",
                "set TimeoutStartSec=0, or a limit that a pull over your network keeps",
            )


def _gone(file: UnitFile) -> Iterator[Trap]:
    for key in _EXEC:
        for command in command_line.commands(file, key):
            words, _ = docker_run.unwrapped(command)
            yield from _programs(command, " ".join(words) + " ")
    for key in ("Requires", "BindsTo", "Requisite", "After", "Wants"):
        for option in file.get("Unit", key):
            old = [word for word in option.value.split() if word in _OLD_UNITS]
            if old and key in ("Requires", "BindsTo", "Requisite"):
                yield Trap(
                    "unit-of-container-linux",
                    option.at,
                    f"{key}={old[0]} is a unit that Container Linux had",
                    "where there is none of this name the unit never starts",
                    "remove it: the cluster's store is there before any unit is",
                )


def _programs(command: Command, line: str) -> Iterator[Trap]:
    program = line.split()[0].rpartition("/")[2] if line.split() else ""
    if program in ("rkt", "systemd-docker", "fleetctl", "actool"):
        instead = {"rkt": "podman run runs the same images", "systemd-docker": "run docker itself, in the foreground"}
        yield Trap(
            f"no-{program}",
            command.at,
            f"{program} is no longer made",
            "no image of today has it, so the unit fails with status 203",
            instead.get(program, "remove the line"),
        )
    if _V2.search(line):
        yield Trap(
            "etcd-v2",
            command.at,
            "this speaks etcd's old API",
            "etcd 3.4 turned the v2 API off, 3.6 removed it; etcdctl of today has put, get, del and lease",
            "write etcdctl put and lease grant, or read what nodes publish (docs/node-registry.md)",
        )


def _notify(file: UnitFile) -> Iterator[Trap]:
    run = main(file)
    option = next((o for o in reversed(file.get("Service", "Type")) if o.value in ("notify", "notify-reload")), None)
    if run is not None and option is not None:
        yield Trap(
            "notify-from-container",
            option.at,
            f"Type={option.value} with docker run",
            "a container is not in the unit's control group, so systemd never hears its READY=1 and gives up the start",
            "use Type=simple and a health check, or podman with --sdnotify",
        )


def _removes(command: Command, name: str) -> bool:
    rest = docker_run.docker(docker_run.unwrapped(command)[0])
    rest = rest[1:] if rest[:1] == ["container"] else rest
    return rest[:1] == ["rm"] and name in rest


_CHECKS: Sequence[Callable[[UnitFile], Iterator[Trap]]] = (
    _shell,
    _detached,
    _names,
    _stop,
    _limits,
    _pull,
    _notify,
    _gone,
)
