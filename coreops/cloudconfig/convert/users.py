"""Accounts as coreos-cloudinit made them. Knows only ``users`` and keys.

An account that is there already, in the image or from an earlier item, only got its password and its keys.
"""

from __future__ import annotations

import re
from dataclasses import replace

from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import below, items, put, text
from coreops.cloudconfig.marked import Marked

_IN_IMAGE = ("core", "root")
_SET_ALWAYS = (
    *("name", "passwd", "ssh_authorized_keys", "coreos_ssh_import_github", "coreos_ssh_import_github_users"),
    "coreos_ssh_import_url",
)
_HASH = re.compile(r"[$!*].*|[./0-9A-Za-z]{13}")


def mend_users(tree: Marked, notes: list[Note]) -> Marked:
    """Return the document with every account once, and without what was not applied to it."""
    found: dict[str, Marked] = {}
    if below(tree, "users") is None:
        return tree
    for number, user in enumerate(items(tree, "users")):
        name = text(user, "name")
        if not name:
            notes.append(
                Note("ignored", f"users[{number}]", "coreos-cloudinit skipped a user without name", user.place)
            )
            continue
        user = _hashed(user, f"users[{name}]", notes)
        if (keys := below(user, "ssh_authorized_keys")) is not None:
            user = put(user, "ssh_authorized_keys", split_keys(keys))
        if name in _IN_IMAGE or name in found:
            user = _existing(user, f"users[{name}]", notes, "in the image" if name in _IN_IMAGE else "there by then")
        old = found.get(name)
        found[name] = user if old is None else replace(old, value={**old.value, **user.value})
    return put(tree, "users", Marked(tuple(found.values()), tree.at(["users"])) if found else None)


def _existing(user: Marked, key: str, notes: list[Note], where: str) -> Marked:
    for name, each in user.value.items():
        if name not in _SET_ALWAYS:
            why = f"the account is {where}: coreos-cloudinit set only its password and its keys"
            notes.append(Note("ignored", f"{key}.{name}", why, each.place))
    return replace(user, value={name: each for name, each in user.value.items() if name in _SET_ALWAYS})


def _hashed(user: Marked, key: str, notes: list[Note]) -> Marked:
    passwd = below(user, "passwd")
    if passwd is None or _HASH.fullmatch(str(passwd.value)):
        return user
    why = "it is no hash as crypt(5) makes it, so nobody could log in with it; make one with: openssl passwd -6"
    notes.append(Note("ignored", f"{key}.passwd", why, passwd.place))
    return put(user, "passwd", None)


def split_keys(keys: Marked) -> Marked:
    """One key an item; a block scalar may hold several lines."""
    lines = [
        Marked(line.strip(), each.place) for each in keys.value for line in str(each.value).split("\n") if line.strip()
    ]
    return replace(keys, value=tuple(lines))
