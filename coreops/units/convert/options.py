"""Values of ``docker run``'s options: ports, mounts, sizes. Pure; ValueError for what cannot be read."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SIZES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3}


@dataclass(frozen=True, slots=True)
class Port:
    """host 0: any that is free. address: "" for all."""

    container: int
    host: int
    protocol: str = "tcp"
    address: str = ""


@dataclass(frozen=True, slots=True)
class Mount:
    """source: a path of the node, the name of a volume, or "" for a volume without a name."""

    source: str
    target: str
    read_only: bool = False

    @property
    def bind(self) -> bool:
        return self.source.startswith("/")


def port(text: str) -> tuple[Port, ...]:
    """``[address:][host:]container[/protocol]``, also ranges."""
    left, _, protocol = text.partition("/")
    *rest, inside = left.rsplit(":", 1)
    host, address = "", ""
    if rest:
        *before, host = rest[0].rsplit(":", 1)
        address = before[0].strip("[]") if before else ""
    insides, hosts = _range(inside), _range(host) if host else [0] * len(_range(inside))
    if len(insides) != len(hosts) or protocol not in ("", "tcp", "udp", "sctp"):
        raise ValueError(f"not a port: {text!r:.80}")
    return tuple(Port(a, b, protocol or "tcp", address) for a, b in zip(insides, hosts, strict=True))


def mount(text: str) -> Mount:
    """``source:target[:options]`` or ``target``."""
    parts = text.split(":")
    if len(parts) == 1:
        parts = ["", text]
    if len(parts) > 3 or not parts[1].startswith("/"):
        raise ValueError(f"not a mount: {text!r:.80}")
    return Mount(parts[0], parts[1], "ro" in parts[2].split(",") if len(parts) == 3 else False)


def mount_words(text: str) -> Mount:
    """``type=bind,source=/a,target=/b,readonly``."""
    words = {word.partition("=")[0]: word.partition("=")[2] for word in text.split(",")}
    source = words.get("source") or words.get("src") or ""
    target = words.get("target") or words.get("dst") or words.get("destination") or ""
    if words.get("type", "volume") not in ("bind", "volume") or not target.startswith("/"):
        raise ValueError(f"not a mount: {text!r:.80}")
    if words.get("type") == "bind" and not source.startswith("/"):
        raise ValueError(f"not a mount: {text!r:.80}")
    return Mount(source, target, bool({"readonly", "ro"} & words.keys()))


def size(text: str) -> int:
    """``64m`` in bytes."""
    match = re.fullmatch(r"(\d+)([bkmg]?)b?", text.lower())
    if match is None:
        raise ValueError(f"not a size: {text!r:.80}")
    return int(match[1]) * _SIZES[match[2]]


def number(text: str) -> float:
    """A number that is not negative."""
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise ValueError(f"not a number: {text!r:.80}")
    return float(text)


def pair(text: str, sign: str = "=") -> tuple[str, str]:
    """``key=value``."""
    key, found, value = text.partition(sign)
    if not key or not found:
        raise ValueError(f"not key{sign}value: {text!r:.80}")
    return key, value


def ulimit(text: str) -> tuple[str, int, int]:
    """``nofile=1024:2048``."""
    key, value = pair(text)
    soft, _, hard = value.partition(":")
    if not re.fullmatch(r"-?\d+", soft) or (hard and not re.fullmatch(r"-?\d+", hard)):
        raise ValueError(f"not a limit: {text!r:.80}")
    return key, int(soft), int(hard or soft)


def _range(text: str) -> list[int]:
    first, _, last = text.partition("-")
    if not first.isdecimal() or (last and not last.isdecimal()):
        raise ValueError(f"not a port: {text!r:.80}")
    numbers = list(range(int(first), int(last or first) + 1))
    if not numbers or not 0 < numbers[0] <= numbers[-1] < 65536:
        raise ValueError(f"not a port: {text!r:.80}")
    return numbers
