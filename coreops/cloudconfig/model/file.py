"""A file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from coreops.cloudconfig.model.base import Line, Part

Encoding = Literal["b64", "base64", "gz", "gzip", "gz+b64", "gz+base64", "gzip+b64", "gzip+base64"]


def _path(path: str) -> str:
    parts = path.split("/")
    if not path.startswith("/") or path.endswith("/"):
        raise ValueError("the path must be absolute and name a file")
    if ".." in parts:
        raise ValueError("the path must not contain ..")
    if parts[1] == "usr":
        raise ValueError("/usr is read-only on the node: use /etc or /opt")
    return path


Path = Annotated[Line, AfterValidator(_path)]


class File(Part):
    """One of ``write_files``. ``content`` is as ``encoding`` says; without one, it is text."""

    path: Path
    content: str = ""
    owner: Annotated[Line, Field(pattern=r"^[^:\s]+(:[^:\s]+)?$")] | None = None
    permissions: Annotated[str, Field(pattern="^0?[0-7]{3,4}$")] | None = None
    encoding: Encoding | None = None
