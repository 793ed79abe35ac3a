"""``docker run``: its command line apart. Pure; knows which options take a value, nothing of what they mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from coreops.model import Position
from coreops.units import command_line
from coreops.units.command_line import Command

SWITCHES = {
    *("detach", "disable-content-trust", "init", "interactive", "no-healthcheck", "oom-kill-disable", "privileged"),
    *("publish-all", "quiet", "read-only", "rm", "sig-proxy", "tty", "help"),
}
_SHORT = (
    "a=attach c=cpu-shares d=detach e=env h=hostname i=interactive l=label m=memory p=publish P=publish-all q=quiet "
    "t=tty u=user v=volume w=workdir"
)
SHORT = {pair[0]: pair[2:] for pair in _SHORT.split()}
SAME = {"net": "network", "net-alias": "network-alias", "dns-opt": "dns-option"}
_SHELLS = ("sh", "bash", "dash", "ash", "env")
_GLOBAL = ("-H", "--host", "--config", "-l", "--log-level", "-c", "--context")


@dataclass(frozen=True, slots=True)
class DockerRun:
    """options: long name -> value ("true" for a switch), in order. shell: it was run by ``sh -c``, without exec."""

    image: str
    arguments: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    at: Position
    shell: bool = False

    def all(self, name: str) -> tuple[str, ...]:
        """The values of an option."""
        return tuple(value for key, value in self.options if key == name)

    def last(self, name: str) -> str:
        """The value that counts; "" for none."""
        return next(iter(reversed(self.all(name))), "")

    def has(self, name: str) -> bool:
        """Is a switch on?"""
        return self.last(name) == "true"


def find(command: Command) -> DockerRun | None:
    """The ``docker run`` that a command is, or that it has a shell do; None for anything else."""
    words, shell = unwrapped(command)
    rest = docker(words)
    if not rest or rest[0] not in ("run", "container") or (rest[0] == "container" and rest[1:2] != ["run"]):
        return None
    return parse(rest[1:] if rest[0] == "run" else rest[2:], command.at, shell=shell)


def unwrapped(command: Command) -> tuple[list[str], bool]:
    """The words without a ``sh -c`` around them, and whether that shell stays."""
    words = list(command.words)
    if command.program in _SHELLS and len(words) > 2 and words[1].startswith("-") and words[1].endswith("c"):
        words = command_line.split(words[2], command.at)
        if words[:1] == ["exec"]:
            return words[1:], False
        return words, True
    return words, False


def docker(words: Sequence[str]) -> list[str]:
    """What is said to docker; [] when it is not docker that is run."""
    if not words or words[0].rpartition("/")[2] != "docker":
        return []
    rest = list(words[1:])
    while rest and rest[0].startswith("-"):
        flag = rest.pop(0)
        if flag in _GLOBAL and rest:
            rest.pop(0)
    return rest


def parse(words: Sequence[str], at: Position, *, shell: bool = False) -> DockerRun:
    """Take options and arguments of ``run`` apart. The image is "" when there is none."""
    rest = list(words)
    options: list[tuple[str, str]] = []
    while rest and rest[0].startswith("-") and rest[0] != "-":
        word = rest.pop(0)
        if word == "--":
            break
        for name, value in _option(word):
            if value is None and name not in SWITCHES:
                value = rest.pop(0) if rest else ""
            options.append((name, "true" if value is None else value))
    return DockerRun(rest[0] if rest else "", tuple(rest[1:]), tuple(options), at, shell)


def _option(word: str) -> Iterator[tuple[str, str | None]]:
    """``--name=value``, ``-p80:80``, ``-it``: names, and the value as far as it is in this word."""
    if word.startswith("--"):
        name, equals, value = word[2:].partition("=")
        yield SAME.get(name, name), value if equals else None
        return
    letters = word[1:]
    for i, letter in enumerate(letters):
        name = SHORT.get(letter, letter)
        rest = letters[i + 1 :]
        if name in SWITCHES and not rest.startswith("="):
            yield name, None
            continue
        yield name, rest.removeprefix("=") or None
        return
