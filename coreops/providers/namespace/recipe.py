"""What a lab image is made of, as data. Pure; ``image`` cooks it. A change here is a new image in the cache.

Every image has all of this; a flavour (``flavour``) adds to it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import astuple

from coreops.providers.namespace.flavour import PLAIN, Flavour

SUITE = "bookworm"
RELEASES = ("1.0.0", "1.1.0")
"""The first is on the disks of new nodes, the others are there to upgrade to."""

CORE_UID = 500

PACKAGES = (
    "systemd",
    "systemd-sysv",
    "libpam-systemd",
    "dbus",
    "openssh-server",
    "sudo",
    "iproute2",
    "iputils-ping",
    "gdisk",
    "fdisk",
    "cgpt",
    "curl",
    "ca-certificates",
    "procps",
    "xz-utils",
    "zstd",
    "unzip",
)

EXCLUDED = ("/usr/share/man/*", "/usr/share/doc/*", "/usr/share/locale/*", "/usr/share/info/*")

FILES: dict[str, tuple[int, str]] = {
    "etc/ssh/sshd_config.d/lab.conf": (
        0o644,
        "PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin no\nUseDNS no\nPrintMotd no\n",
    ),
    "etc/sudoers.d/core": (0o440, "core ALL=(ALL:ALL) NOPASSWD: ALL\n"),
    "etc/systemd/journald.conf.d/lab.conf": (0o644, "[Journal]\nStorage=persistent\nSystemMaxUse=64M\n"),
    "etc/default/locale": (0o644, "LANG=C.UTF-8\n"),
    "etc/fstab": (0o644, ""),
    "etc/resolv.conf": (0o644, ""),
    "usr/bin/lab-release": (0o755, '#!/bin/sh\n. /usr/lib/os-release\nprintf "%s\\n" "$VERSION_ID"\n'),
}

MASKED = (
    "console-getty.service",
    "getty@tty1.service",
    "systemd-networkd-wait-online.service",
    "systemd-firstboot.service",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
)

REMOVED = (
    # No package manager and no interpreter but sh: what CoreOS does not have, coreops must not lean on.
    "usr/bin/apt*",
    "usr/bin/dpkg*",
    "usr/sbin/dpkg*",
    "usr/lib/dpkg",
    "usr/lib/apt",
    "usr/share/dpkg",
    "usr/bin/debconf*",
    "usr/sbin/dpkg-*",
    "usr/lib/systemd/system/dpkg*",
    "etc/systemd/system/*/dpkg*",
    "usr/share/debconf",
    "usr/bin/perl*",
    "usr/lib/*/perl-base",
    "usr/share/perl*",
    "etc/apt",
    "etc/dpkg",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/cache/*",
    "var/log/*",
    "var/lib/systemd/timers",
    # Made for each node by itself.
    "etc/machine-id",
    "var/lib/dbus/machine-id",
    "etc/hostname",
    "etc/hosts",
    "etc/ssh/ssh_host_*",
    "boot/*",
    "tmp/*",
    "run/*",
)


def os_release(release: str) -> str:
    """The text of /usr/lib/os-release."""
    return (
        f'NAME="coreops lab"\nID=coreops-lab\nID_LIKE=coreos\nVERSION={release}\nVERSION_ID={release}\n'
        f'PRETTY_NAME="coreops lab {release}"\n'
    )


def fingerprint(*more: str, flavour: Flavour = PLAIN) -> str:
    """Name the image by what goes into it."""
    parts = [SUITE, RELEASES, CORE_UID, PACKAGES, EXCLUDED, FILES, MASKED, REMOVED, os_release(""), *more]
    if flavour != PLAIN:
        parts.append(astuple(flavour))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
