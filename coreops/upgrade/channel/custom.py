"""A release as it stands in signed metadata: TUF's ``custom`` of a target, written and strictly read. Pure.

Fields that are not known are left alone, so that later versions can add some. A missing or wrong one is an error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from coreops.errors import InputError
from coreops.upgrade.channel.frames import LARGEST_FRAME, sizes
from coreops.upgrade.release import Release
from coreops.upgrade.version import parse

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_SIGNED_BY_TUF = ("target", "size", "sha256")
CODECS = ("none", "gzip", "zstd")


def check_name(kind: str, name: str) -> str:
    """A channel's or a board's name. Raises InputError."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name!r} cannot be the name of a {kind}", next="use small letters, digits, - and _, at most 32 of them"
        )
    return name


def target_of(version: str, board: str) -> str:
    """Where in the repository a release's image is."""
    return f"{board}/{version}.usr"


def encode(release: Release) -> dict[str, Any]:
    """What of a release TUF does not say by itself."""
    fields = {key: value for key, value in asdict(release).items() if key not in _SIGNED_BY_TUF}
    return fields | {"frames": list(release.frames)}


def decode(target: str, size: int, sha256: str, custom: object, where: object = None) -> Release:
    """The release of a target. Raises InputError that names target and field."""
    if not isinstance(custom, Mapping):
        raise _wrong(target, where, "it has no description")
    for key, (right, words) in _FIELDS.items():
        if key not in custom:
            raise _wrong(target, where, f"{key} is missing")
        if not right(custom[key]):
            raise _wrong(target, where, f"{key} is not {words}")
    known = {key: custom[key] for key in _FIELDS}
    release = Release(target=target, size=size, sha256=sha256, **known | {"frames": tuple(custom["frames"])})
    for problem in _contradictions(release):
        raise _wrong(target, where, problem)
    return release


def _contradictions(release: Release) -> list[str]:
    out = sizes(release.usr_size, release.frame) + sizes(release.kernel_size, release.frame)
    rules = {
        f"its path is not {target_of(release.version, release.board)}": release.target
        != target_of(release.version, release.board),
        "its frames are not as long as the image": sum(release.frames) != release.size,
        "it has not as many frames as its sizes ask for": len(release.frames) != len(out),
        "its frames are not as long as what they hold": release.codec == "none" and list(release.frames) != out,
        "kernel_size and kernel_sha256 contradict each other": bool(release.kernel_size) != bool(release.kernel_sha256),
    }
    return [problem for problem, broken in rules.items() if broken]


def _wrong(target: str, where: object, why: str) -> InputError:
    return InputError(
        f"the release {target} cannot be used",
        where=where,
        why=why,
        next="publish it again, or use the version of coreops it was published with",
    )


def _is_version(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parse(value)
    except InputError:
        return False
    return True


def _is_count(value: object) -> bool:
    return type(value) is int and value > 0


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_digest(value: object) -> bool:
    return isinstance(value, str) and bool(_SHA256.fullmatch(value))


_FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "version": (_is_version, "a version"),
    "board": (lambda value: isinstance(value, str) and bool(_NAME.fullmatch(value)), "the name of a board"),
    "codec": (lambda value: value in CODECS, f"one of {', '.join(CODECS)}"),
    "frame": (lambda value: _is_count(value) and value <= LARGEST_FRAME, f"a length of at most {LARGEST_FRAME}"),
    "frames": (lambda value: isinstance(value, list) and all(map(_is_count, value)), "a list of lengths"),
    "usr_size": (_is_count, "a size"),
    "usr_sha256": (_is_digest, "a SHA-256"),
    "kernel_size": (lambda value: _is_count(value) or (type(value) is int and value == 0), "a size or 0"),
    "kernel_sha256": (lambda value: value == "" or _is_digest(value), "a SHA-256 or empty"),
    "min_from": (lambda value: value == "" or _is_version(value), "a version or empty"),
    "barrier": (lambda value: isinstance(value, bool), "true or false"),
    "deadend": (_is_text, "a text"),
    "notes": (_is_text, "a text"),
}
