"""A file."""

from __future__ import annotations

import posixpath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from coreops.cloudconfig.model.base import Line, Part

Encoding = Literal["b64", "base64", "gz", "gzip", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64"]


def _path(path: str) -> str:
    """The path without // and /./, so that one file has one path."""
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError("the path must be absolute and name a file")
    if ".." in path.split("/"):
        raise ValueError("the path must not contain ..")
    # Two slashes at the front would stay two.
    plain = posixpath.normpath(f"/{path.lstrip('/')}")
    if plain == "/":
        raise ValueError("the path must name a file")
    if f"{plain}/".startswith("/usr/"):
        raise ValueError("/usr is read-only on the node: use /etc or /opt")
    return plain


Path = Annotated[Line, AfterValidator(_path)]


class File(Part):
    """One of ``write_files``. ``content`` is as ``encoding`` says; without one, it is text."""

    path: Path
    content: str = ""
    owner: Annotated[Line, Field(pattern=r"^[^:\s]+(:[^:\s]+)?$")] | None = None
    permissions: Annotated[str, Field(pattern="^0?[0-7]{3,4}$")] | None = None
    encoding: Encoding | None = None
