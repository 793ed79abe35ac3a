"""From the flags of ``coreops render --as`` to packages: what each form takes, read and handed to ``delivery``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from coreops.errors import InputError

if TYPE_CHECKING:
    from coreops.cloudconfig.platforms.platform import Platform
    from coreops.cloudconfig.render import NodeFile, Render
    from coreops.cloudconfig.secrets import Secret
    from coreops.delivery.request import PackedFile

_MOST = 10_000_000


@dataclass(frozen=True, slots=True)
class Pack:
    """How each node is to be packed. secrets: those in what goes into every package beside the user-data."""

    form: str
    run: Callable[[NodeFile, str, Platform | None], tuple[PackedFile, ...]]
    secrets: tuple[Secret, ...] = ()


def asked(
    form: str | None,
    *,
    url: str | None,
    kernel: str | None,
    initrds: Sequence[str] | None,
    arguments: Sequence[str] | None,
    parts: Sequence[Path] | None,
) -> Pack | None:
    """How each node is to be packed; None when it is not to be. Raises InputError."""
    given = {"--url": url, "--kernel": kernel, "--initrd": initrds, "--append": arguments, "--part": parts}
    if form is None:
        if stray := [flag for flag, value in given.items() if value]:
            raise InputError(f"{', '.join(stray)} without a form to pack", next="name it with --as FORM")
        return None
    from coreops.cloudconfig.secrets import find_in_text
    from coreops.delivery.package import check_form, package
    from coreops.delivery.request import Boot, Part
    from coreops.model import Position

    check_form(form)
    if kernel is None and (initrds or arguments):
        raise InputError("--initrd and --append go with a kernel", next="name it with --kernel URL")
    boot = Boot(kernel, tuple(initrds or ()), tuple(arguments or ())) if kernel else None
    read = tuple(Part(path.name, _read(path)) for path in parts or ())
    texts = zip(parts or (), read, strict=True)
    found = [find_in_text(part.data.decode(errors="replace"), Position(str(path))) for path, part in texts]

    def pack(each: NodeFile, target: str, platform: Platform | None) -> tuple[PackedFile, ...]:
        metadata = {"hostname": each.hostname} if each.hostname else {}
        return package(form, each.node, each.data, target, platform, url=url, metadata=metadata, boot=boot, parts=read)

    return Pack(form, pack, tuple(chain(*found)))


def packed(done: Render, pack: Pack, platform: Platform | None) -> Render:
    """The render with its packages. Raises InputError where two nodes would share a file."""
    nodes = tuple(
        replace(
            each,
            packed={file.name: file.data for file in pack.run(each, done.target, platform)},
            secrets=(*each.secrets, *pack.secrets),
        )
        for each in done.nodes
    )
    owner: dict[str, str] = {}
    for each in nodes:
        for name in {each.name, *each.packed}:
            if (other := owner.setdefault(name.lower(), each.node)) != each.node:
                raise InputError(f"{each.node} and {other} would share the file {name}", next="rename one")
    return replace(done, nodes=nodes, form=pack.form)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(_MOST + 1)  # a device has no size and no end
    except OSError as error:
        raise InputError("cannot be read", where=path, why=error.strerror) from None
    if len(data) > _MOST:
        raise InputError(f"larger than {_MOST} bytes", where=path)
    return data
