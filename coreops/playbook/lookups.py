"""``lookup(...)`` and ``query(...)``: what templates may read on the controller: files, environment."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from jinja2.utils import missing

from coreops.errors import did_you_mean

_REFUSED = frozenset({"pipe", "lines", "url", "password", "community.general.passwordstore"})


def _env(context: Context, term: str, **options: Any) -> Any:
    value = os.environ.get(term, options.get("default", ""))
    if value is missing:
        raise ValueError(f"no environment variable {term!r}")
    return value


def _base(context: Context) -> Path:
    return Path(str(context.resolve("playbook_dir")))


def _locate(context: Context, folder: str, term: str) -> Path:
    base = _base(context)
    for path in (Path(term).expanduser(), base / folder / term, base / term):
        if path.is_absolute() and path.is_file():
            return path
    raise ValueError(f"no file {term!r} in {base / folder} or {base}")


def _file(context: Context, term: str, rstrip: bool = True, **_: Any) -> str:
    text = _locate(context, "files", term).read_text("utf-8")
    return text.rstrip() if rstrip else text


def _template(context: Context, term: str, **_: Any) -> Any:
    from coreops.playbook.jinja import compile_text

    path = _locate(context, "templates", term)
    return compile_text(path.read_text("utf-8"), _base(context))(context.parent)  # type: ignore[arg-type]


def _vars(context: Context, term: str, **options: Any) -> Any:
    found = context.resolve_or_missing(term)
    if found is missing:
        if "default" in options:
            return options["default"]
        return context.environment.undefined(name=term)
    return found


def _fileglob(context: Context, term: str, **_: Any) -> Any:
    if term.startswith("/"):
        return sorted(path for path in glob.glob(term) if Path(path).is_file())
    base = _base(context)
    return sorted(str(path) for folder in (base / "files", base) for path in folder.glob(term) if path.is_file())


LOOKUPS: dict[str, Callable[..., Any]] = {
    "env": _env,
    "file": _file,
    "fileglob": _fileglob,
    "template": _template,
    "vars": _vars,
}


def _look(context: Context, name: str, terms: tuple[Any, ...], options: dict[str, Any]) -> list[Any]:
    short = name.removeprefix("ansible.builtin.")
    if short in _REFUSED:
        raise ValueError(f"lookup {name!r} is refused: templates run no programs and open no connections")
    if short not in LOOKUPS:
        near = did_you_mean(short, LOOKUPS) or f"known are {', '.join(LOOKUPS)}"
        raise ValueError(f"unknown lookup {name!r}; {near}")
    found: list[Any] = []
    for term in terms:
        for one in term if isinstance(term, list) else [term]:
            value = LOOKUPS[short](context, str(one), **options)
            if short == "fileglob":
                found.extend(value)
            else:
                found.append(value)
    return found


@pass_context
def query(context: Context, name: str, *terms: Any, **options: Any) -> list[Any]:
    """Return a list, one value for each term."""
    options.pop("wantlist", None)
    return _look(context, name, terms, options)


@pass_context
def lookup(context: Context, name: str, *terms: Any, **options: Any) -> Any:
    """Return one value, or several joined by commas, as Ansible does."""
    if options.pop("wantlist", False):
        return _look(context, name, terms, options)
    options.pop("errors", None)
    found = _look(context, name, terms, options)
    return found[0] if len(found) == 1 else ",".join(str(value) for value in found)
