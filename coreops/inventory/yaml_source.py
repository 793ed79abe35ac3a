"""A YAML inventory: groups with ``hosts``, ``vars`` and ``children``, as in Ansible; nothing is skipped silently."""

from __future__ import annotations

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from coreops.errors import InputError, did_you_mean
from coreops.inventory.draft import Draft, Owner
from coreops.inventory.names import parse_host
from coreops.inventory.yaml_nodes import Builder, Entry, compose

SECTIONS = ("hosts", "vars", "children")
_EXAMPLE = "a group looks like  store: {hosts: {n1: {ansible_host: 10.0.0.1}}}"


def parse_yaml(text: str, file: str, draft: Draft) -> None:
    """Add the YAML inventory ``text`` to ``draft``. Raises InputError with file:line:column."""
    root = compose(text, file)
    if root is not None and not _is_null(root):
        _Reader(file, draft).top(root)


class _Reader:
    def __init__(self, file: str, draft: Draft) -> None:
        self.build = Builder(file)
        self.draft = draft
        self.seen: dict[tuple[str, int], bool] = {}

    def top(self, root: Node) -> None:
        if not isinstance(root, MappingNode):
            raise InputError(
                f"an inventory is a mapping of groups, not {_kind(root)}", where=self.build.at(root), next=_EXAMPLE
            )
        entries = self.build.entries(root)
        for entry in entries:
            where = self.build.at(entry.key_node)
            if entry.key == "plugin":
                raise InputError(
                    "Ansible's dynamic inventories are not supported yet",
                    where=where,
                    why="plugin: makes this a plugin's configuration",
                    next="write a *.coreops.yml (docs/ec2.md), or save what `ansible-inventory --list --yaml` prints",
                )
            if entry.key in SECTIONS:
                raise InputError(
                    f"{entry.key!r} stands outside of any group", where=where, next="put it below a group, e.g. all:"
                )
        for entry in entries:
            self.group(entry)

    def group(self, entry: Entry) -> Owner:
        group = self.draft.group(self.name(entry, "group"), self.build.at(entry.key_node))
        # aliases: the same node below the same name says nothing new, unless it is below itself
        place = (group.name, id(entry.value))
        if self.seen.get(place):
            return group
        if place in self.seen:
            raise InputError("an alias contains itself", where=self.build.at(entry.key_node), next="remove the alias")
        self.seen[place] = False
        self.sections(group, entry)
        self.seen[place] = True
        return group

    def sections(self, group: Owner, entry: Entry) -> None:
        for section in self.mapping(entry, f"group {group.name!r}", _EXAMPLE):
            key, where = section.key, self.build.at(section.key_node)
            if key not in SECTIONS:
                near = did_you_mean(str(key), SECTIONS)
                raise InputError(
                    f"unknown key {key!r} in group {group.name!r}",
                    where=where,
                    why="a group has hosts, vars and children",
                    next=near or "put hosts below hosts:, variables below vars:, groups below children:",
                )
            what = f"{key} of group {group.name!r}"
            if key == "vars":
                self.settings(group, section, what)
            elif key == "children":
                for child in self.members(section, what):
                    self.draft.child(group, self.group(child).name, self.build.at(child.key_node))
            else:
                for host in self.members(section, what):
                    self.hosts(group, host)

    def hosts(self, group: Owner, entry: Entry) -> None:
        where = self.build.at(entry.key_node)
        names, port = parse_host(self.name(entry, "host"), where)
        owners = [self.draft.host(name, where, group) for name in names]
        if port is not None:
            for owner in owners:
                self.draft.set(owner, "ansible_port", port, where)
        if _is_null(entry.value):
            return
        for variable in self.mapping(entry, f"host {entry.key!r}", "variables go below it: ansible_host: 10.0.0.1"):
            name, at = self.name(variable, "variable"), self.build.at(variable.key_node)
            value = self.build.value(variable.value)
            for owner in owners:
                self.draft.set(owner, name, value, at)

    def settings(self, owner: Owner, entry: Entry, what: str) -> None:
        for variable in self.mapping(entry, what, "write name: value"):
            value = self.build.value(variable.value)
            self.draft.set(owner, self.name(variable, "variable"), value, self.build.at(variable.key_node))

    def members(self, entry: Entry, what: str) -> list[Entry]:
        """The hosts or children of a group; one name alone may be written as plain text."""
        value = entry.value
        if isinstance(value, ScalarNode) and not _is_null(value):
            return [Entry(self.build.value(value), value, ScalarNode("tag:yaml.org,2002:null", ""))]
        return self.mapping(entry, what, "write `name:` on a line of its own, without a dash")

    def mapping(self, entry: Entry, what: str, hint: str) -> list[Entry]:
        if _is_null(entry.value):
            return []
        if not isinstance(entry.value, MappingNode):
            raise InputError(
                f"{what} must be a mapping, not {_kind(entry.value)}", where=self.build.at(entry.value), next=hint
            )
        return self.build.entries(entry.value)

    def name(self, entry: Entry, kind: str) -> str:
        if isinstance(entry.key, str):
            return entry.key
        text = getattr(entry.key_node, "value", "")
        raise InputError(
            f"the {kind} name {text!r} is not text",
            where=self.build.at(entry.key_node),
            why=f"YAML reads it as {entry.key!r}",
            next=f'quote it: "{text}"',
        )


def _is_null(node: Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _kind(node: Node) -> str:
    return "a list" if isinstance(node, SequenceNode) else f"the text {str(node.value)[:40]!r}"
