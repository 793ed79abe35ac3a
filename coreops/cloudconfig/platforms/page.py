"""The records of the platforms as a page of Markdown: docs/platforms.md is exactly this text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from coreops.cloudconfig.platforms.platform import VARIABLES, Fact, Platform

_HEAD = """\
# Platforms

Where a machine gets its user-data from, how much of it, and what coreos-cloudinit fills in there. The page is made from
the records that `coreops validate --platform` and `coreops render --platform` use. Paths without a project are files of
coreos-cloudinit. `yes`: every machine has a value; `maybe`: one may have none, and an empty text would take its place.
`gzip` is unpacked by coreos-cloudinit and cloud-init; Ignition takes its config as it is (contents in it may be gzip).
`multipart` is read by Flatcar's coreos-cloudinit since 2023 (flatcar/coreos-cloudinit#21), by Container Linux's never.
"""


def page(platforms: Iterable[Platform]) -> str:
    """Return the page."""
    return "\n".join([_HEAD, *_overview(tuple(platforms))]) + "\n"


def _overview(platforms: tuple[Platform, ...]) -> Iterator[str]:
    yield "| platform | limit | takes | " + " | ".join(f"`${name}`" for name in VARIABLES) + " |"
    yield "|---" * (3 + len(VARIABLES)) + "|"
    for each in platforms:
        takes = ", ".join(each.encodings) or "-"
        yield f"| [{each.name}](#{each.name}) | {_limit(each)} | {takes} | {' | '.join(_has(each))} |"
    for each in platforms:
        yield from ("", f"## {each.name}", "")
        yield from _details(each)


def _limit(platform: Platform) -> str:
    limit = platform.limit
    if limit is None:
        return "none known"
    return f"{limit.raw} bytes" if limit.raw else f"{limit.encoded} bytes of base64"


def _has(platform: Platform) -> Iterator[str]:
    for name in VARIABLES:
        there = platform.substitutions.get(name)
        yield "no" if there is None else "yes" if there.sure else "maybe"


def _details(platform: Platform) -> Iterator[str]:
    yield _line("User-data", platform.user_data)
    if platform.metadata:
        yield _line("Metadata", platform.metadata)
    if platform.limit:
        yield _line("Limit", Fact(_limit(platform), platform.limit.source))
    yield _line("Who can read it", platform.readers)
    yield f"- Default user: `{platform.default_user}`"
    for name, there in platform.substitutions.items():
        yield _line(f"`${name}`", Fact(there.origin, there.source))
    for quirk in platform.quirks:
        yield _line("Note", quirk)


def _line(title: str, fact: Fact) -> str:
    return f"- {title}: {fact.text} *({fact.source})*"
