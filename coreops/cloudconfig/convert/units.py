"""Units as coreos-cloudinit applied them. Knows only ``coreos.units``."""

from __future__ import annotations

from dataclasses import replace

from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.parts import below, items, put, put_below, text
from coreops.cloudconfig.marked import Marked

UNITS = ("coreos", "units")


def mend_units(tree: Marked, notes: list[Note]) -> Marked:
    """Return the document with every unit once, and with drop-ins that systemd reads."""
    if below(tree, *UNITS) is None:
        return tree
    found: dict[str, Marked] = {}
    for number, unit in enumerate(items(tree, *UNITS)):
        name = text(unit, "name")
        if not name:
            why = "coreos-cloudinit skipped a unit without name"
            notes.append(Note("ignored", f"coreos.units[{number}]", why, unit.place))
            continue
        unit = _drop_ins(unit, f"coreos.units[{name}]", notes)
        if name in found:
            unit = _together(found[name], unit, notes)
            if not text(found[name], "command"):
                found.pop(name)  # the place in the list is that of its command: units are started in this order
        found[name] = unit
    return put_below(tree, UNITS, Marked(tuple(found.values()), tree.at(UNITS)) if found else None)


def _drop_ins(unit: Marked, key: str, notes: list[Note]) -> Marked:
    if below(unit, "drop_ins") is None:
        return unit
    found: dict[str, Marked] = {}
    for number, each in enumerate(items(unit, "drop_ins")):
        name = text(each, "name")
        if not name or not text(each, "content"):
            why = "coreos-cloudinit skipped a drop-in without name or content"
        elif "/" in name or not name.endswith(".conf"):
            why = "systemd reads only drop-ins whose name ends in .conf, without a folder"
        else:
            found[name] = each
            continue
        notes.append(Note("ignored", f"{key}.drop_ins[{name or number}]", why, each.place))
    return put(unit, "drop_ins", Marked(tuple(found.values()), unit.at(["drop_ins"])) if found else None)


def _together(first: Marked, second: Marked, notes: list[Note]) -> Marked:
    """Two items of one name: both were applied, one after the other."""
    key = f"coreos.units[{text(first, 'name')}]"
    notes.append(Note("changed", key, "it is there twice; the two are one now", second.place))
    for name in ("content", "command", "runtime"):
        old, new = below(first, name), below(second, name)
        if old is not None and new is not None and old.value != new.value:
            notes.append(Note("ignored", f"{key}.{name}", f"the {name} of the second one is taken", old.place))
    both = {**first.value, **second.value}
    for name in ("enable", "mask"):
        said = [part.value[name] for part in (first, second) if name in part.value]
        if said:
            both[name] = next((each for each in said if each.value), said[-1])
    drop_ins = {text(each, "name"): each for each in (*items(first, "drop_ins"), *items(second, "drop_ins"))}
    if drop_ins:
        both["drop_ins"] = Marked(tuple(drop_ins.values()), second.place)
    return replace(first, value=both)
