"""Python's regular expressions -> POSIX extended ones, for grep and sed on the node (in the C locale). Pure.

Python's own parser reads the pattern; what has no POSIX equal (look-around, back references, lazy repeats whose extent
would matter) is refused with the reason, never guessed. Bytes are matched, as Ansible does: \\d is [0-9].
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
_SPECIAL = set(".[]()*+?{}|^$\\")
_CLASSES = {
    "CATEGORY_DIGIT": ("0-9", False),
    "CATEGORY_NOT_DIGIT": ("0-9", True),
    "CATEGORY_SPACE": ("[:space:]", False),
    "CATEGORY_NOT_SPACE": ("[:space:]", True),
    "CATEGORY_WORD": ("[:alnum:]_", False),
    "CATEGORY_NOT_WORD": ("[:alnum:]_", True),
}
_ANCHORS = {
    "AT_BEGINNING": "^",
    "AT_BEGINNING_STRING": "^",
    "AT_END": "$",
    "AT_END_STRING": "$",
    "AT_BOUNDARY": "\\b",
    "AT_NON_BOUNDARY": "\\B",
}
_REFUSED = {
    "ASSERT": "look-ahead and look-behind have",
    "ASSERT_NOT": "look-ahead and look-behind have",
    "GROUPREF": "a back reference inside the pattern has",
    "GROUPREF_EXISTS": "a conditional group has",
    "ATOMIC_GROUP": "an atomic group has",
    "POSSESSIVE_REPEAT": "a possessive repeat has",
}


@dataclass(frozen=True, slots=True)
class Ere:
    """An extended regular expression. groups: number of a Python group -> its number here."""

    text: str
    ignore_case: bool = False
    groups: dict[int, int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)


def translate(pattern: str, *, captures: bool = False) -> Ere:
    """Raises ValueError with the reason. captures: what the groups match will be used."""
    if "\n" in pattern or "\0" in pattern:
        raise ValueError("a pattern is matched against one line at a time; it cannot hold a newline")
    try:
        tree = _parser.parse(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    state = tree.state
    known = re.UNICODE | re.IGNORECASE | re.VERBOSE | re.DOTALL | re.MULTILINE | re.ASCII
    if state.flags & ~known:
        raise ValueError("an inline flag of this pattern has no equal on the node")
    writer = _Writer(captures)
    text = writer.sequence(tree)
    return Ere(text, bool(state.flags & re.IGNORECASE), writer.groups, dict(state.groupdict))


def expand(ere: Ere, template: str) -> str:
    """Python's replacement text -> sed's, newline as separator. Raises ValueError."""
    out = []
    position = 0
    while position < len(template):
        letter = template[position]
        position += 1
        if letter != "\\":
            out.append("\\" + letter if letter in "&/" else letter)
            continue
        match = re.compile(r"([1-9][0-9]?)|g<(\w+)>|(.)", re.DOTALL).match(template, position)
        if match is None:
            raise ValueError(f"{template!r} ends with a single \\")
        position = match.end()
        if match[3] is not None:
            out.append(_escaped(match[3]))
            continue
        name = match[1] or match[2]
        number = int(name) if name.isdigit() else ere.names.get(name, -1)
        if number and number not in ere.groups:
            raise ValueError(f"the pattern has no group {name}")
        number = ere.groups.get(number, 0)
        if number > 9:
            raise ValueError("sed on the node knows nine groups at most")
        out.append("&" if number == 0 else f"\\{number}")
    return "".join(out)


def _escaped(letter: str) -> str:
    if letter == "t":
        return "\t"
    if letter.isalnum():
        raise ValueError(f"\\{letter} in line means nothing here; write a backslash as \\\\")
    return "\\" + letter if letter in "&/\\" else letter


class _Writer:
    """Writes the parsed pattern. Counts groups: POSIX has no groups that do not capture."""

    def __init__(self, captures: bool) -> None:
        self.captures = captures
        self.groups: dict[int, int] = {}
        self.count = 0

    def sequence(self, items: Any) -> str:
        return "".join(self.one(str(op), value) for op, value in items)

    def one(self, op: str, value: Any) -> str:
        if op in _REFUSED:
            raise ValueError(f"{_REFUSED[op]} no equal in grep and sed; write the pattern without")
        method = getattr(self, op.lower(), None)
        if method is None:
            raise ValueError(f"this pattern has no equal in grep and sed ({op.lower()})")
        text = method(value)
        assert isinstance(text, str)
        return text

    def literal(self, value: int) -> str:
        return "\\" + chr(value) if chr(value) in _SPECIAL else chr(value)

    def not_literal(self, value: int) -> str:
        return _bracket([(value, value)], "", negated=True)

    def any(self, value: Any) -> str:
        return "."

    def at(self, value: Any) -> str:
        return _ANCHORS[str(value)]

    def branch(self, value: Any) -> str:
        self.count += 1
        return "(" + "|".join(self.sequence(branch) for branch in value[1]) + ")"

    def subpattern(self, value: Any) -> str:
        group, add, remove, items = value
        if add or remove:
            raise ValueError("a flag for a part of the pattern has no equal in grep and sed")
        self.count += 1
        if group is not None:
            self.groups[group] = self.count
        return "(" + self.sequence(items) + ")"

    def min_repeat(self, value: Any) -> str:
        # Where a line matches does not depend on greed; what its groups hold does.
        if self.captures:
            raise ValueError("a lazy repeat (*?, +?) has no equal in sed; write it with a negated class, like [^ ]*")
        return self.max_repeat(value)

    def max_repeat(self, value: Any) -> str:
        low, high, items = value
        unbounded = str(high) == "MAXREPEAT"
        if low > 255 or (not unbounded and high > 255):
            raise ValueError("more than 255 repeats have no equal in grep and sed")
        single = len(items) == 1 and str(items[0][0]) in ("LITERAL", "NOT_LITERAL", "ANY", "IN", "SUBPATTERN")
        if single and str(items[0][0]) == "LITERAL" and items[0][1] > 127:
            single = False  # several bytes
        if not single:
            self.count += 1
        text = self.sequence(items)
        text = text if single else f"({text})"
        if unbounded and low in (0, 1):
            return text + ("*" if low == 0 else "+")
        if (low, high) == (0, 1):
            return text + "?"
        return text + "{" + (f"{low}," if unbounded else f"{low}" if low == high else f"{low},{high}") + "}"

    def __getattr__(self, name: str) -> Any:
        if name == "in":
            return self.char_set
        raise AttributeError(name)

    def char_set(self, items: Any) -> str:
        negated = False
        ranges: list[tuple[int, int]] = []
        classes = ""
        for op, value in items:
            kind = str(op)
            if kind == "NEGATE":
                negated = True
            elif kind == "LITERAL":
                ranges.append((value, value))
            elif kind == "RANGE":
                ranges.append(value)
            else:
                text, inverse = _CLASSES[str(value)]
                if inverse and len(items) > 1 + negated:
                    raise ValueError("\\D, \\S and \\W beside other characters in [] have no equal in grep and sed")
                negated ^= inverse
                classes += text
        return _bracket(ranges, classes, negated=negated)


def _bracket(ranges: list[tuple[int, int]], classes: str, *, negated: bool) -> str:
    """A bracket expression. Inside one, POSIX knows no escapes: what is special goes where it is not."""
    if any(high > 127 for _, high in ranges):
        raise ValueError("only ASCII characters can stand in []; write others as (a|b)")
    ranges = [(low, high) for low, high in ranges if (low, high) != (10, 10)]
    last = {ord("^"), ord("\\"), ord("-"), ord("]"), ord("[")}
    singles = {low for low, high in ranges if low == high}
    first, text = "]" if ord("]") in singles else "", classes
    for low, high in ranges:
        if low != high:
            if low in last or high in last:
                raise ValueError(f"the range {chr(low)}-{chr(high)} has no equal in grep and sed")
            text += f"{chr(low)}-{chr(high)}"
    text += "".join(chr(low) for low in sorted(singles - last))
    text += "[" if ord("[") in singles else ""
    tail = [letter for letter in ("\\", "^", "-") if ord(letter) in singles]
    if tail == ["^"] and not (first or text or negated):
        return "\\^"
    if tail[:1] == ["^"] and not (first or text or negated):
        tail = ["-", "^"]
    return f"[{'^' if negated else ''}{first}{text}{''.join(tail)}]"
