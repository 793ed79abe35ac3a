"""What a document is for, told from itself: its first line, its braces, its keys at the left margin."""

from __future__ import annotations

import re
from typing import Final, Literal

from coreops.cloudconfig.validate.cloud_init.header import is_template
from coreops.cloudconfig.validate.keys import CLOUD_CONFIG, CLOUD_INIT
from coreops.cloudconfig.validate.shapes import words

Kind = Literal["coreos", "cloud-init", "ignition", "butane", "script", "other", "empty"]
_KEYS = re.compile(r"(?m)^([A-Za-z_][\w-]*)\s*:")
_BELOW = re.compile(
    r"(?m)^ {1,6}(?:- )?(?:append|defer|sudo|lock_passwd|plain_text_passwd|hashed_passwd|uid|expiredate|snapuser) *:"
    r"|^ *- default$"
)
"""Keys that only cloud-init has in files and users, and its user that needs no more."""
_OTHER: Final = re.compile(
    r"(?:content-type:\s*multipart|mime-version:|#include|#part-handler|#cloud-boothook|#upstart-job"
    r"|#cloud-config-(?:archive|jsonp))",
    re.IGNORECASE,
)
"""What cloud-init takes besides cloud-config."""
_BUTANE: Final = words("storage systemd passwd kernel_arguments ignition etcd flannel locksmith update networkd")
"""Of Butane, and of ct, which was before it."""


def tell(text: str) -> Kind:
    """What a text is for. What could be for several is for coreos-cloudinit."""
    text = text.removeprefix("\ufeff")
    if not text:
        return "empty"
    if text.startswith("#!"):
        return "script"
    if is_template(text):
        return "cloud-init"
    if _OTHER.match(text):
        return "other"
    if text.lstrip().startswith("{") and re.search(r'"ignition(Version)?"\s*:', text):
        return "ignition"
    names = set(_KEYS.findall(text))
    if "coreos" in names:
        return "coreos"
    if "variant" in names or (not text.startswith("#cloud-config") and names & _BUTANE):
        return "butane"
    only_cloud_init = CLOUD_INIT - CLOUD_CONFIG.keys.keys()
    return "cloud-init" if names & only_cloud_init or _BELOW.search(text) else "coreos"
