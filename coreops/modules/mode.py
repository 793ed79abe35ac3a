"""File modes as a playbook writes them: octal, or symbolic as for chmod. Pure arithmetic on the permission bits.

A symbolic mode means different bits for a folder, a file that somebody may execute, and any other file (``X``). So a
Mode holds for each of the three which bits it clears and which it sets; that can be compared without acting.
"""

from __future__ import annotations

import re
from functools import cache

from coreops.frozen import frozen

_CLAUSE = re.compile(r"([ugoa]*)((?:[-+=][rwxXst]*)+)")
_ACTION = re.compile(r"([-+=])([rwxXst]*)")
_WHO = {"u": 0o4700, "g": 0o2070, "o": 0o1007, "a": 0o7777}
_BITS = {"r": 0o444, "w": 0o222, "x": 0o111, "s": 0o6000, "t": 0o1000}
_ALL = 0o7777


@frozen
class Change:
    """New mode = (old mode without ``clear``) with ``set``."""

    clear: int
    set: int

    @property
    def word(self) -> str:
        """The same for chmod, without X: chmods do not agree on what ``=rX`` means."""
        parts = []
        for sign, bits in (("-", self.clear & ~self.set), ("+", self.set)):
            for who, shift, special in (("u", 6, 0o4000), ("g", 3, 0o2000), ("o", 0, 0o1000)):
                letters = "".join(letter for letter, bit in (("r", 4), ("w", 2), ("x", 1)) if bits >> shift & bit)
                letters += ("t" if who == "o" else "s") if bits & special else ""
                if letters:
                    parts.append(f"{'a' if letters == 't' else who}{sign}{letters}")
        return ",".join(parts) or "u+"


@frozen
class Mode:
    """What a mode does to a folder, to an executable file and to any other file."""

    text: str
    folder: Change
    executable: Change
    plain: Change
    # The mode as a number, when it does not depend on what is there.
    exact: int | None = None


def parse_mode(value: object) -> Mode:
    """Read ``0644`` (text or the number YAML makes of it), ``644``, ``u=rwX,go=rX``. Raises ValueError."""
    if isinstance(value, Mode):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        # YAML 1.1 reads 0644 as the number 420, and 644 as 644, which is the mode 01204 that nobody wants.
        slip = re.fullmatch("[0-7]{3}", str(value)) and (value > 0o777 or value in (400, 440, 444, 500))
        if slip or not 0 <= value <= _ALL:
            raise ValueError(f"{value} is a decimal number here; write the mode in quotes: '0{value}'")
        return _exact(f"{value:04o}", value)
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch("(0o)?[0-7]{1,5}", text) and int(text.removeprefix("0o"), 8) <= _ALL:
            return _exact(text, int(text.removeprefix("0o"), 8))
        clauses = [_CLAUSE.fullmatch(clause) for clause in text.split(",")]
        if all(clauses):
            folder, executable, plain = (_symbolic(clauses, case) for case in ("folder", "executable", "plain"))
            exact = plain.set if folder.clear == _ALL and folder == executable == plain else None
            return Mode(text, folder, executable, plain, exact)
    raise ValueError(f"{value!r} is not a file mode; examples: '0644', 'u=rw,go=r', 'u+x'")


@cache
def _exact(text: str, bits: int) -> Mode:
    change = Change(_ALL, bits)
    return Mode(text, change, change, change, bits)


def _symbolic(clauses: list[re.Match[str] | None], case: str) -> Change:
    clear = on = 0
    for clause in clauses:
        assert clause is not None
        who = 0
        for letter in clause[1] or "a":
            who |= _WHO[letter]
        if not clause[1]:
            who &= ~0o022  # without ugoa chmod spares the bits of the umask, and coreops's umask is 022
        for operator, letters in _ACTION.findall(clause[2]):
            executable = case == "folder" or bool(on & 0o111) or (case == "executable" and clear & 0o111 != 0o111)
            bits = 0
            for letter in letters:
                bits |= (0o111 if executable else 0) if letter == "X" else _BITS[letter]
            bits &= who
            if operator == "+":
                on |= bits
                clear &= ~bits
            else:
                affected = who if clause[1] else _ALL
                gone = bits if operator == "-" else affected & (0o1777 if case == "folder" else _ALL)
                clear |= gone
                on &= ~gone
                if operator == "=":
                    on |= bits
                    clear |= bits
    return Change(clear | on, on)
