"""Which tasks ``--tags`` and ``--skip-tags`` select. Pure."""

from __future__ import annotations

from collections.abc import Set


def selected(tags: Set[str], only: Set[str], skip: Set[str]) -> bool:
    """Ansible's rule: ``always`` and ``never`` are special, ``all``, ``tagged`` and ``untagged`` match classes."""
    wanted = only or {"all"}
    if ("always" in tags and "always" not in skip) or tags & wanted:
        run = True
    elif "never" in tags:
        run = False
    elif "all" in wanted:
        run = True
    else:
        run = "tagged" in wanted if tags else "untagged" in wanted
    if not run or not skip:
        return run
    if tags & skip:
        return False
    if "all" in skip:
        return "always" in tags and "always" not in skip
    return not ("tagged" in skip if tags else "untagged" in skip)
