"""A JSON document as the same tree as YAML's, with places. Strict: what Go's encoding/json refuses is refused.

Exceptions are those to the stricter side: a name that is there twice is kept for a rule to find.
"""

from __future__ import annotations

import re
from json.decoder import JSONDecodeError, scanstring  # type: ignore[attr-defined]

from coreops.cloudconfig.validate.tree import DEEPEST, MOST, Entry, Kind, Value
from coreops.errors import InputError
from coreops.model import Position
from coreops.yaml_marks import place

_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORDS: dict[str, Kind] = {"true": "bool", "false": "bool", "null": "null"}


def parse_json(text: str, file: str) -> Value | None:
    """Parse one JSON document; None when there is none. Raises InputError with line and column."""
    reader = _Reader(text, file)
    start = reader.blank(0)
    if start == len(text):
        return None
    value, end = reader.value(start, 0)
    end = reader.blank(end)
    if end != len(text):
        raise reader.error("something after the end of the document", end)
    return value


class _Reader:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.count = 0
        self.line, self.begin, self.seen = 1, 0, 0

    def at(self, index: int) -> Position:
        """Where ``index`` is; asked in order, so that no line is counted twice."""
        if index < self.seen:
            return place(self.text, index, self.file)
        self.line += self.text.count("\n", self.seen, index)
        self.begin = self.text.rfind("\n", 0, index) + 1
        self.seen = index
        return Position(self.file, self.line, index - self.begin + 1)

    def error(self, why: str, index: int) -> InputError:
        return InputError("not valid JSON", where=place(self.text, min(index, len(self.text)), self.file), why=why)

    def blank(self, index: int) -> int:
        match = _SPACE.match(self.text, index)
        assert match is not None
        return match.end()

    def value(self, start: int, depth: int) -> tuple[Value, int]:
        self.count += 1
        if self.count > MOST:
            raise InputError(f"the document holds more than {MOST} values", where=self.at(start))
        if depth > DEEPEST:
            raise InputError(f"nested deeper than {DEEPEST} levels", where=self.at(start))
        at, sign = self.at(start), self.text[start : start + 1]
        if sign == "{":
            return self.mapping(start, at, depth)
        if sign == "[":
            return self.list(start, at, depth)
        if sign == '"':
            text, end = self.string(start)
            return Value("text", at, (start, end), text), end
        for word, kind in _WORDS.items():
            if self.text.startswith(word, start):
                end = start + len(word)
                return Value(kind, at, (start, end), word, plain=True), end
        number = _NUMBER.match(self.text, start)
        if number is None:
            raise self.error("a value should be here", start)
        kind = "float" if number[1] or number[2] else "int"
        return Value(kind, at, number.span(), number[0], plain=True), number.end()

    def string(self, start: int) -> tuple[str, int]:
        try:
            text, end = scanstring(self.text, start + 1, True)
        except JSONDecodeError as error:
            raise self.error(error.msg.lower().removesuffix(" at"), error.pos) from None
        if _SURROGATE.search(text):
            text = _SURROGATE.sub("\ufffd", text)  # as Go's reader does
        return text, end

    def mapping(self, start: int, at: Position, depth: int) -> tuple[Value, int]:
        entries: list[Entry] = []
        end = self.blank(start + 1)
        while not self.text.startswith("}", end):
            if entries:
                end = self.separator(end, "}")
            if not self.text.startswith('"', end):
                raise self.error("a name in double quotes should be here", end)
            where = self.at(end)
            name, end = self.string(end)
            end = self.blank(end)
            if not self.text.startswith(":", end):
                raise self.error("a colon should be here", end)
            below, end = self.value(self.blank(end + 1), depth + 1)
            entries.append(Entry(name, name, where, below))
            end = self.blank(end)
        return Value("mapping", at, (start, end + 1), entries=tuple(entries)), end + 1

    def list(self, start: int, at: Position, depth: int) -> tuple[Value, int]:
        items: list[Value] = []
        end = self.blank(start + 1)
        while not self.text.startswith("]", end):
            if items:
                end = self.separator(end, "]")
            item, end = self.value(end, depth + 1)
            items.append(item)
            end = self.blank(end)
        return Value("list", at, (start, end + 1), items=tuple(items)), end + 1

    def separator(self, end: int, closing: str) -> int:
        if not self.text.startswith(",", end):
            raise self.error(f"a comma or {closing} should be here", end)
        end = self.blank(end + 1)
        if self.text.startswith(closing, end):
            raise self.error(f"a comma before {closing}", end)
        return end
