"""Where a machine finds its user-data over the network: the URL to tell it, and the files to serve there. Pure.

cloud-init takes the URL of a *seed*: it puts ``user-data``, ``meta-data`` and ``vendor-data`` in the place of ``%s``.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, urlsplit

from coreops.delivery.request import SUFFIXES, PackedFile, Request
from coreops.errors import InputError, did_you_mean

_SCHEMES: Final = {
    "coreos": ("http", "https"),
    "cloud-init": ("http", "https"),
    "ignition": ("http", "https", "tftp"),
}
_STRANGE: Final = re.compile(r"[^A-Za-z0-9._~:/?@!$&'()*+,;=%\[\]-]", re.ASCII)
_SETTING: Final = re.compile(r"\$\{[A-Za-z0-9_./:-]+\}", re.ASCII)
_WHERE: Final = "--url"


def served(request: Request, *, settings: bool = False) -> tuple[str, tuple[PackedFile, ...]]:
    """Return the URL to tell the machine, and the files to serve if the request's URL is a folder. Raises InputError.

    settings: the URL may hold ``${...}``, which iPXE fills in.
    """
    if request.url is None:
        raise InputError(
            "the machine has to be told where its user-data is served",
            next="--url http://HOST/FOLDER/ if you serve these files, --url http://HOST/... of the user-data if not",
        )
    _check(request.url, request.target, settings=settings)
    if not request.url.endswith("/"):
        if request.target == "cloud-init" and "%s" not in request.url:
            raise InputError(
                "cloud-init needs a URL that ends in /, or one with %s where user-data or meta-data goes",
                where=_WHERE,
                next="for example http://HOST/%s?mac=...",
            )
        return request.url, ()
    if request.target != "cloud-init":
        return request.url + quote(request.stem + SUFFIXES[request.target]), (request.user_data(),)
    url = f"{request.url}{request.stem}.%s"
    _check(url, request.target, settings=settings)
    # Without vendor-data there cloud-init asks ten times for it, once a second.
    files = {".user-data": request.data, ".meta-data": request.nocloud(), ".vendor-data": b""}
    return url, tuple(request.file(suffix, data) for suffix, data in files.items())


def _check(url: str, target: str, *, settings: bool) -> None:
    plain = _SETTING.sub("x", url) if settings else url
    try:
        parts = urlsplit(plain)
        parts.port  # noqa: B018 - raises for what is no port
    except ValueError as error:
        raise InputError(f"not a URL: {url!r}", where=_WHERE, why=str(error)) from None
    schemes = _SCHEMES[target]
    if parts.scheme not in schemes or not parts.hostname:
        raise InputError(
            f"not a URL that {target} fetches: {url!r}",
            where=_WHERE,
            why=f"schemes: {', '.join(schemes)}",
            next=did_you_mean(parts.scheme, schemes),
        )
    if parts.username is not None:
        raise InputError(
            "the URL holds a password or a user", where=_WHERE, why="every process on the machine can read it there"
        )
    if strange := _STRANGE.search(plain):
        raise InputError(
            f"a URL cannot hold {strange.group()!r}", where=_WHERE, next=f"write it as {quote(strange.group())}"
        )
    if target == "cloud-init":
        _check_seed(url)


def _check_seed(url: str) -> None:
    if ";" in url:
        raise InputError("cloud-init cuts the URL off at ';'", where=_WHERE, next="write it as %3B, or do without")
    if "%s" in url and "%" in url.replace("%s", ""):
        raise InputError(
            f"cloud-init cannot take %XX in a URL with %s: {url!r}",
            where=_WHERE,
            why="it fills the URL in as a format, in which every % counts",
            next="serve it under names of letters, digits, - . _",
        )
