"""``module: key=value key2="a b"`` -> arguments, as Ansible splits it. Pure text; knows no modules."""

from __future__ import annotations

import re

RAW_OPTIONS = frozenset({"chdir", "creates", "removes", "executable", "stdin"})
"""Options that may stand between the words of a free-form command."""

_OPEN = {"{{": "}}", "{%": "%}", "{#": "#}"}
_PAIR = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)


def split_words(text: str) -> list[str]:
    """Split at white space outside quotes and template braces; words keep their quotes. Raises ValueError."""
    words: list[str] = []
    word: list[str] = []
    quote = closing = ""
    index = 0
    while index < len(text):
        char, two = text[index], text[index : index + 2]
        if closing:
            if two == closing:
                word.append(two)
                closing, index = "", index + 2
                continue
        elif two in _OPEN:
            closing = _OPEN[two]
            word.append(two)
            index += 2
            continue
        elif quote:
            if char == "\\" and quote == '"' and index + 1 < len(text):
                word.append(two)
                index += 2
                continue
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "\\" and index + 1 < len(text):
            word.append(two)
            index += 2
            continue
        elif char.isspace():
            if word:
                words.append("".join(word))
                word = []
            index += 1
            continue
        word.append(char)
        index += 1
    if quote or closing:
        raise ValueError(f"unbalanced {quote or closing!r}")
    if word:
        words.append("".join(word))
    return words


def unquote(word: str) -> str:
    """Remove one pair of quotes around a word."""
    if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"":
        inner = word[1:-1]
        return inner.replace('\\"', '"') if word[0] == '"' else inner
    return word


def pairs(text: str) -> dict[str, str]:
    """Parse ``key=value ...``. Raises ValueError naming the word that is no pair, or a key given twice."""
    found: dict[str, str] = {}
    for word in split_words(text):
        match = _PAIR.fullmatch(word)
        if match is None:
            raise ValueError(f"{word!r} is not key=value")
        if match[1] in found:
            raise ValueError(f"{match[1]!r} is given twice")
        found[match[1]] = unquote(match[2])
    return found


def command(text: str) -> tuple[str, dict[str, str]]:
    """Split ``echo hi creates=/x`` into the command (verbatim) and its options."""
    if not any(f"{option}=" in text for option in RAW_OPTIONS):
        return text, {}
    rest: list[str] = []
    options: dict[str, str] = {}
    for word in split_words(text):
        match = _PAIR.fullmatch(word)
        if match and match[1] in RAW_OPTIONS:
            options[match[1]] = unquote(match[2])
        else:
            rest.append(word)
    return (" ".join(rest), options) if options else (text, {})
