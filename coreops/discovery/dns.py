"""Questions to a DNS server and its answers, as far as SRV records and addresses go. Pure: bytes in and out."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final, Literal

Kind = Literal["SRV", "A", "AAAA"]
_KINDS: Final[dict[Kind, int]] = {"SRV": 33, "A": 1, "AAAA": 28}
_NUMBERS: Final = {number: kind for kind, number in _KINDS.items()}
_INTERNET: Final = 1
_RECURSE: Final = 0x0100
_ANSWER, _CUT, _CODE = 0x8000, 0x0200, 0x000F
_JUMPS: Final = 32
_SAID: Final = {1: "it did not understand", 2: "it failed", 5: "it refused"}
_UNKNOWN: Final = 3


class Malformed(ValueError):
    """An answer that is none, or says that there can be none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """values: HOST:PORT for SRV, else addresses. cut: there is more, to be had by TCP."""

    values: tuple[str, ...]
    cut: bool = False


def question(name: str, kind: Kind, id: int) -> bytes:
    """Ask for records of a name. Raises ValueError for what is no name."""
    labels = name.rstrip(".").split(".")
    if not name.isascii() or not all(0 < len(label) < 64 for label in labels) or len(name) > 250:
        raise ValueError(f"{name[:80]!r} is not a name in DNS")
    text = b"".join(bytes([len(label)]) + label.encode("ascii") for label in labels)
    return struct.pack(">6H", id, _RECURSE, 1, 0, 0, 0) + text + b"\0" + struct.pack(">2H", _KINDS[kind], _INTERNET)


def answer(packet: bytes, kind: Kind, id: int) -> Answer:
    """Read an answer. Raises Malformed."""
    try:
        return _answer(packet, kind, id)
    except (struct.error, IndexError, UnicodeDecodeError) as error:
        raise Malformed(f"its answer is cut off: {error}") from None


def _answer(packet: bytes, kind: Kind, id: int) -> Answer:
    theirs, flags, questions, answers, _, _ = struct.unpack_from(">6H", packet)
    if theirs != id or not flags & _ANSWER:
        raise Malformed("its answer is for another question")
    code = flags & _CODE
    if code not in (0, _UNKNOWN):
        raise Malformed(_SAID.get(code, f"it answers with code {code}"))
    at = 12
    for _ in range(questions):
        at = _name(packet, at)[1] + 4
    values = []
    for _ in range(answers):
        at = _name(packet, at)[1]
        number, _, _, size = struct.unpack_from(">HHIH", packet, at)
        at += 10
        if len(packet) < at + size:
            if flags & _CUT:
                break
            raise Malformed("its answer is cut off")
        if _NUMBERS.get(number) == kind:
            values.append(_value(packet, at, size, kind))
        at += size
    return Answer(tuple(values), bool(flags & _CUT))


def _value(packet: bytes, at: int, size: int, kind: Kind) -> str:
    if kind != "SRV":
        if size != (4 if kind == "A" else 16):
            raise Malformed("it gives an address that is none")
        return str(ip_address(packet[at : at + size]))
    (port,) = struct.unpack_from(">H", packet, at + 4)
    return f"{_name(packet, at + 6)[0]}:{port}"


def _name(packet: bytes, at: int) -> tuple[str, int]:
    """A name, and where the packet goes on; names may point to others."""
    labels: list[str] = []
    end = 0
    for _ in range(_JUMPS + 128):
        size = packet[at]
        if size >= 0xC0:
            end = end or at + 2
            at = struct.unpack_from(">H", packet, at)[0] & 0x3FFF
        elif size == 0:
            return ".".join(labels), end or at + 1
        else:
            labels.append(packet[at + 1 : at + 1 + size].decode("ascii"))
            at += 1 + size
    raise Malformed("its answer goes in a circle")
