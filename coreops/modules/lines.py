"""The text editing of lineinfile, in sh: grep finds (in the C locale), awk writes. Follows Ansible's algorithm.

Values reach grep and awk as they are, never as part of a program. awk gets line numbers and texts from its environment.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """What to look for and what to do. ``how``: regexp, string, line. ``where``: bof, eof, before, after."""

    state: str
    line: str
    pattern: str
    how: str
    icase: bool
    near: str
    near_icase: bool
    where: str
    pick: str
    replacement: str
    create: bool

    def values(self) -> dict[str, str]:
        """The variables of the script."""
        values = {"state": self.state, "line": self.line, "where": self.where, "create": str(self.create)}
        if self.how != "line":
            values["pattern"] = self.pattern
        if self.near:
            values["near"] = self.near
        if self.replacement:
            # The line becomes newline, replacement, newline; all outside is then cut off.
            values["replace"] = f"s/{self.pattern.replace('/', chr(92) + '/')}/\\\n{self.replacement}\\\n/"
        return values

    def script(self) -> str:
        """``find_lines``: the numbers of the lines that match; ``find_near``: the number of the line to insert at."""
        icase = "-i " if self.icase else ""
        grep = {
            "regexp": f'grep -n {icase}-E -e "$pattern"',
            "string": 'grep -n -F -e "$pattern"',
            "line": "exact_lines",
        }[self.how]
        numbers = "cut -d : -f 1" if self.how != "line" else "cat"
        near = ":"
        if self.near:
            near = (
                f'grep -n {"-i " if self.near_icase else ""}-E -e "$near" <"$dest" | cut -d : -f 1 | {self.pick} -n 1'
            )
        swap = _SWAP % ("I" if self.icase else "") if self.replacement else "swap() { printf '%s\\n' \"$line\"; }\n"
        return (
            "LC_ALL=C\nexport LC_ALL\n"
            + _EXACT
            + "# shellcheck disable=SC2094 # both only read\n"
            + f'find_lines() {{ {grep} <"$dest" | {numbers}; }}\n'
            + f"find_near() {{ {near}; }}\n"
            + f"pick() {{ {self.pick} -n 1; }}\n"
            + (_SURE if self.how != "line" and self.state == "present" else "fallback() { return 1; }\n")
            + (f"backrefs={'yes' if self.replacement else ''}\n")
            + swap
        )


_EXACT = """\
exact_lines() {
  line=$line awk '{ sub(/\\r+$/, "") } ($0 "") == (ENVIRON["line"] "") { print NR }'
}
"""
# No match of the pattern: is the line there as it is?
_SURE = """\
fallback() {
  found=$(exact_lines <"$dest" | tail -n 1)
  [ -n "$found" ]
}
"""
_SWAP = """\
swap() {
  printf '%%s\\n' "$old" | sed -E -e "${replace}%s" -e 's/^[^\\n]*\\n//' -e 's/\\n.*$//'
}
"""

# look: what is to be done? Sets todo ('' = nothing; replace, insert, remove) and at, the line number (or numbers).
# tell: say so. edit: write the new content.
EDIT = """\
look() {
  todo='' at='' old='' text=$line
  if [ ! -s "$dest" ]; then
    [ "$state" = absent ] || [ -n "$backrefs" ] || todo=insert
    [ ! -e "$dest" ] || [ ! -d "$dest" ] || fail "$dest is a directory"
    [ -e "$dest" ] || [ "$state" = absent ] || [ -z "$backrefs" ] || todo=create
    at=1
    return 0
  fi
  [ -f "$dest" ] || fail "$dest is not a regular file"
  # shellcheck disable=SC2094 # both only read
  tr -d '\\000' <"$dest" | cmp -s - "$dest" || fail "$dest holds NUL bytes; it is not a text file"
  found=$(find_lines)
  if [ "$state" = absent ]; then
    [ -z "$found" ] || { todo=remove at=$found; }
    return 0
  fi
  found=$(printf '%s\\n' "$found" | pick)
  if [ -n "$found" ] || { [ -z "$backrefs" ] && fallback; }; then
    at=$found
    old=$(sed -n "${at}p" "$dest")
    text=$(swap)
    [ "$old" = "$text" ] || todo=replace
    return 0
  fi
  [ -z "$backrefs" ] || return 0
  todo=insert
  case $where in
    bof) at=1 ;;
    *) at=$(find_near) ;;
  esac
  [ "$where" != after ] || [ -z "$at" ] || at=$((at + 1))
  if [ "$where" = after ] && [ -n "$at" ]; then
    # x: a line beyond the end is not an empty line
    [ "$(sed -n "${at}s/^/x/p" "$dest")" != "x$line" ] || todo=''
  fi
}
tell() {
  case $todo in
    replace) printf 'line replaced\\n-%s\\n+%s\\n' "$old" "$text" ;;
    insert) printf 'line added\\n+%s\\n' "$text" ;;
    create) printf 'file created\\n' ;;
    remove)
      printf '%s line(s) removed\\n' "$(printf '%s\\n' "$at" | wc -l | tr -d ' ')"
      at=$at awk 'BEGIN { n = split(ENVIRON["at"], list, "\\n"); for (i = 1; i <= n; i++) gone[list[i]] = 1 }
        NR in gone { print "-" $0 }' "$dest"
      ;;
  esac
}
edit() {
  [ "$todo" != create ] || return 0
  if [ ! -s "$dest" ]; then
    printf '%s\\n' "$text"
    return
  fi
  open=''
  [ -z "$(tail -c 1 "$dest")" ] || open=1
  todo=$todo at=$at text=$text open=$open awk '
    BEGIN {
      todo = ENVIRON["todo"]
      n = split(ENVIRON["at"], list, "\\n")
      for (i = 1; i <= n; i++) if (list[i] != "") here[list[i]] = 1
    }
    NR > 1 && ended { printf "\\n" }
    { ended = 0 }
    (NR in here) && todo == "remove" { next }
    (NR in here) && todo == "replace" { print ENVIRON["text"]; next }
    (NR in here) && todo == "insert" { print ENVIRON["text"]; done = 1 }
    { printf "%s", $0; ended = 1 }
    END {
      if (todo == "insert" && !done) { if (ended) printf "\\n"; print ENVIRON["text"]; exit }
      if (ended && ENVIRON["open"] == "") printf "\\n"
    }' "$dest"
}
"""
