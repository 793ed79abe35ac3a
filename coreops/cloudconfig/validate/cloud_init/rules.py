"""Rules for cloud-init that its schema does not hold, or holds in words that help nobody."""

from __future__ import annotations

import re
from collections.abc import Iterator

from coreops.cloudconfig.platforms.substitution import uses
from coreops.cloudconfig.validate.cloud_init.header import expressions, is_template
from coreops.cloudconfig.validate.cloud_init.keys import KNOWN, NOT_RUN, UNCHECKED
from coreops.cloudconfig.validate.document import Document, mappings
from coreops.cloudconfig.validate.finding import Finding
from coreops.cloudconfig.validate.shapes import words
from coreops.cloudconfig.validate.tree import Entry, Value
from coreops.errors import did_you_mean
from coreops.yaml_marks import place

_INSTANCE = words(
    "availability_zone cloud_id cloud_name distro distro_release distro_version instance_id kernel_release "
    "local_hostname machine platform public_ssh_keys python_version region subplatform system_platform "
    "variant"
)
"""What instance-data holds on every platform, below v1 and at its top."""
_ROOTS = _INSTANCE | {"v1", "ds", "merged_cfg", "sys_info", "system_info", "userdata", "vendordata"}
_NAME = re.compile(r"\{\{[-+]?\s*([A-Za-z_]\w*)((?:\.\w+)*)\s*(?:\|.*)?[-+]?\}\}", re.DOTALL)
_MISSING = re.compile(r"CI_MISSING_JINJA_VAR/?([\w.]*)")


def unknown(document: Document, entry: Entry, name: str) -> Finding | None:
    """What is to be said of a key that the schema does not hold."""
    if name:
        return None
    if entry.name in UNCHECKED:
        return Finding(entry.at, "info", f"{entry.name} is not looked into", "cloud-init has no schema for it")
    what = f"unrecognized key {entry.written!r}"
    if entry.name == "coreos":
        why = "cloud-init ignores all of it without a word"
        return Finding(entry.at, "error", what, why, "coreops convert --to cloud-init translates it")
    if entry.name == "network":
        why = "cloud-init takes the network from the datasource, not from user-data"
        return Finding(entry.at, "error", what, why, "bring it as network-config beside meta-data")
    alike = entry.name.replace("-", "_")
    if alike in KNOWN and alike != entry.name:
        why = "- and _ are not the same here, and cloud-init says nothing"
        return Finding(entry.at, "error", what, why, f"did you mean {alike!r}?")
    if near := did_you_mean(entry.name, KNOWN):
        return Finding(entry.at, "error", what, "cloud-init ignores it without a word", near)
    return Finding(entry.at, "warning", what, "cloud-init ignores it without a word")


def nothing(document: Document) -> Iterator[Finding]:
    """A document of nothing but its first line."""
    if document.root.kind == "mapping" and not document.root.entries:
        yield Finding(document.top, "warning", "there is nothing in it", "cloud-init schema refuses it")


def not_run(document: Document) -> Iterator[Finding]:
    """Keys that are valid, and whose module does not run on Debian."""
    for entry in document.root.entries:
        if entry.name in NOT_RUN:
            yield Finding(
                entry.at, "warning", f"{entry.name} does nothing on Debian", "its cloud.cfg does not run the module"
            )


def users(document: Document) -> Iterator[Finding]:
    """Users without a name, and keys for a user that is not made."""
    listed = document.root.get("users")
    single = document.root.get("user")
    for user in (*mappings(listed), *((single,) if single and single.kind == "mapping" else ())):
        names = [name for name in ("name", "snapuser") if user.get(name)]
        if not names:
            yield Finding(user.at, "error", "a user without a name")
        elif len(names) == 2:
            yield Finding(user.at, "error", "a user with both name and snapuser", next="keep one of them")
    keys = document.root.get("ssh_authorized_keys")
    if keys is None or listed is None or listed.kind != "list":
        return
    if not any(item.text == "default" for item in listed.items):
        why = "they are for the default user, and users does not list it"
        yield Finding(
            keys.at, "warning", "nobody gets these keys but root", why, "add - default to users, or give users the keys"
        )


def substitutions(document: Document) -> Iterator[Finding]:
    """``$private_ipv4`` and its kin: only coreos-cloudinit replaces them."""
    spans = sorted({value.span for _, value in document.root.scalars()})
    for use in uses(document.text):
        if use.escaped or use.prefix_of or not any(start <= use.index < end for start, end in spans):
            continue
        if re.search(rf"(?m)^\s*(?:- )?(?:export\s+|local\s+)?{use.variable}=", document.text):
            continue  # a script's own
        yield Finding(
            place(document.text, use.index, document.file),
            "warning",
            f"${use.variable} stays as it is written",
            "only coreos-cloudinit replaces it",
            "write the address, or render it with coreops",
        )


def templates(document: Document) -> Iterator[Finding]:
    """Variables of a template that instance-data does not hold, and what is left of one that was missing."""
    for match in _MISSING.finditer(document.text):
        yield Finding(
            place(document.text, match.start(), document.file),
            "error",
            f"the variable {match[1] or 'here'} was missing when this was rendered",
            "cloud-init writes CI_MISSING_JINJA_VAR and goes on",
        )
    if not is_template(document.text):
        return
    for expression in expressions(document.text):
        found = _NAME.fullmatch(expression[0])
        if found is None:
            continue
        at = place(document.text, expression.start(), document.file)
        root, parts = found[1], found[2].split(".")[1:]
        known = _ROOTS if root != "v1" or not parts else _INSTANCE
        name = root if known is _ROOTS else parts[0]
        what = f"{root}{found[2]} becomes CI_MISSING_JINJA_VAR"
        if name not in known:
            yield Finding(at, "error", what, "instance-data has no such variable", did_you_mean(name, known) or "")
        elif root == "ds":
            yield Finding(at, "warning", what.replace("becomes", "may become"), "it depends on the datasource")


def scripts(document: Document) -> Iterator[Finding]:
    """Commands that say something else to a shell than to a list of words."""
    for key in ("runcmd", "bootcmd"):
        for item in (document.root.get(key) or Value("list", document.top, (0, 0))).items:
            words = [word.text for word in item.items]
            signs = next((word for word in words if word in ("|", "||", "&&", ">", ">>", "<", ";")), None)
            if signs:
                yield Finding(
                    item.at,
                    "warning",
                    f"{signs!r} in a list of words is an argument",
                    "no shell reads a command that is a list",
                    "write the command as one text",
                )
