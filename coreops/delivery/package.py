"""One node's user-data in a form of delivery: which forms there are, what each is for, and what is for the rest."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from coreops.cloudconfig.platforms.platform import Platform
from coreops.delivery import fw_cfg, guestinfo, ipxe, iso, mime
from coreops.delivery.request import Boot, PackedFile, Part, Request
from coreops.errors import InputError, did_you_mean

_BUTANE: Final = "render Ignition, which is what machines read: --target ignition"


@dataclass(frozen=True, slots=True)
class Form:
    """A form of delivery. platforms: () is every one. instead: the next step for targets that it is not for."""

    pack: Callable[[Request], tuple[PackedFile, ...]]
    targets: tuple[str, ...]
    platforms: tuple[str, ...] = ()
    instead: Mapping[str, str] = field(default_factory=dict)


_FORMS: Final = {
    "iso": Form(
        iso.pack,
        ("coreos", "cloud-init"),
        ("iso", "qemu", "baremetal", "vmware", "vagrant", "lab"),
        {
            "ignition": "Ignition reads no drive: --as fw_cfg for qemu, --as vmware-guestinfo for vmware, --as ipxe or "
            "flatcar-install -i FILE for bare metal"
        },
    ),
    "mime": Form(
        mime.pack,
        ("coreos", "cloud-init"),
        instead={"ignition": "Ignition takes one document; it fetches others that ignition.config.merge names"},
    ),
    "vmware-guestinfo": Form(guestinfo.pack, ("coreos", "cloud-init", "ignition"), ("vmware",)),
    "ipxe": Form(
        ipxe.pack, ("coreos", "cloud-init", "ignition"), ("ipxe", "pxe", "baremetal", "qemu", "vmware", "lab")
    ),
    "fw_cfg": Form(
        fw_cfg.pack,
        ("cloud-init", "ignition"),
        ("qemu", "lab"),
        {"coreos": "coreos-cloudinit does not read QEMU's fw_cfg: --as iso"},
    ),
}
FORMS: Final[tuple[str, ...]] = tuple(_FORMS)


def check_form(form: str) -> str:
    """Return a known form's name. Raises InputError."""
    if form not in _FORMS:
        raise InputError(f"there is no form {form!r}", why=f"forms: {', '.join(FORMS)}", next=did_you_mean(form, FORMS))
    return form


def package(
    form: str,
    node: str,
    data: bytes,
    target: str,
    platform: Platform | None,
    *,
    url: str | None = None,
    metadata: Mapping[str, str],
    boot: Boot | None = None,
    parts: Sequence[Part] = (),
) -> tuple[PackedFile, ...]:
    """Return the files that deliver a node's user-data (compressed or not) in a form. Raises InputError.

    url, boot: for ipxe (both) and fw_cfg with cloud-init (url); see ``Request``. parts: for mime.
    """
    chosen = _FORMS[check_form(form)]
    _fits(form, chosen, target, platform)
    if parts and form != "mime":
        raise InputError(f"--as {form} takes no further parts", next="--as mime joins them with the user-data")
    plain = gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data
    return chosen.pack(
        Request(
            node=node,
            data=plain,
            target=target,
            platform=platform,
            url=url,
            metadata=metadata,
            boot=boot,
            parts=tuple(parts),
        )
    )


def _fits(form: str, chosen: Form, target: str, platform: Platform | None) -> None:
    if target not in chosen.targets:
        raise InputError(
            f"--as {form} is not for the target {target}",
            why=f"it is for: {', '.join(chosen.targets)}",
            next=chosen.instead.get(target, _BUTANE),
        )
    if platform and chosen.platforms and platform.name not in chosen.platforms:
        raise InputError(
            f"--as {form} is not for the platform {platform.name}",
            why=f"there, user-data is {platform.user_data.text}",
            next=f"--as {form} is for: {', '.join(chosen.platforms)}",
        )
