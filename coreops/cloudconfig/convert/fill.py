"""``$private_ipv4`` and its kin in a converted document: an address that is given, what the node can know, or an error.

What the node can know: coreos-cloudinit fills it in (target coreos, on a platform that surely has it); under Ignition
a service reads it from coreos-metadata, in the one place where systemd expands a variable: a command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from coreops.cloudconfig.addresses import NOWHERE, SUBSTITUTING, settle
from coreops.cloudconfig.convert import metadata
from coreops.cloudconfig.convert.note import Note
from coreops.cloudconfig.convert.on_node import IGNITION, Places, read_on_node
from coreops.cloudconfig.convert.parts import below, put_below
from coreops.cloudconfig.marked import Marked
from coreops.cloudconfig.platforms.platform import Platform
from coreops.cloudconfig.platforms.substitution import uses
from coreops.errors import InputError, counted
from coreops.model import Position


def fill(
    tree: Marked,
    target: str,
    platform: Platform,
    addresses: Mapping[str, str],
    notes: list[Note],
    lost: frozenset[str] = frozenset(),
) -> Marked:
    """Return the document with every address settled. Raises InputError with the places of those that are not.

    lost: sections of ``coreos`` that the target drops whatever is in them.
    """
    places = Places(target, platform, addresses)
    aside = {name: each for name in lost if (each := below(tree, "coreos", name)) is not None}
    for name in aside:
        tree = put_below(tree, ("coreos", name), None)
    tree = read_on_node(tree, places, notes)
    found: list[tuple[Position, InputError]] = []
    tree = _settled(tree, places, found)
    if found:
        first, *rest = [error for _, error in sorted(found, key=lambda each: (each[0].line, each[0].column))]
        more = "".join(f"\n    {each.where}: {each.what}" for each in rest[:20])
        why = f"{first.why}" + (f"; {counted(len(rest), 'more place')}:{more}" if rest else "")
        raise InputError(first.what, where=first.where, why=why, next=first.next)
    for name, each in aside.items():
        tree = put_below(tree, ("coreos", name), each)
    return tree


def _settled(tree: Marked, places: Places, errors: list[tuple[Position, InputError]]) -> Marked:
    if isinstance(tree.value, dict):
        # Nobody ever substituted in encoded content.
        aside = {"content"} if "encoding" in tree.value else set()
        parts = {name: each if name in aside else _settled(each, places, errors) for name, each in tree.value.items()}
        return replace(tree, value=parts)
    if isinstance(tree.value, tuple):
        return replace(tree, value=tuple(_settled(each, places, errors) for each in tree.value))
    try:
        return settle(tree, places.target, places.platform, places.addresses)
    except InputError as error:
        errors.append((tree.place, _advised(error, tree, places)))
        return tree


def _advised(error: InputError, leaf: Marked, places: Places) -> InputError:
    name = next((use.variable for use in uses(str(leaf.value)) if not use.escaped and not use.prefix_of), None)
    if not error.what.startswith("nobody knows") or name is None:
        return error
    why, advice = error.why, f"--address {name}=ADDRESS, or write \\${name} to keep the text"
    if name in places.variables:
        why = (
            f"on the node it is {places.variables[name]} in {metadata.FILE}, which only a service's Exec lines can use"
        )
        advice += f"; or have a service write it there, from {metadata.FILE}"
    elif places.target in IGNITION and places.platform is NOWHERE:
        advice += "; or name the platform (--platform), whose units can read it on the node"
    elif places.target == SUBSTITUTING:
        advice += "; or name the platform that fills it in (--platform)"
    return InputError(error.what, where=leaf.place, why=why, next=advice)
