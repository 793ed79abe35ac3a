"""What an image may have beyond the recipe that all share. Pure data; a change here is a new image in the cache.

``PLAIN`` is what coreops's own nodes are. ``CLOUD_INIT`` is for user-data only: Debian's cloud-init reads it, which is
written in Python, and coreops must not lean on what such a node has and a CoreOS has not. ``CONTAINERS`` has the engine
that a Container Linux brings, at rest: its socket starts it, as there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from coreops.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class Flavour:
    """One addition to the recipe. suffix: its name in a sentence, after "image". takes: how long it is built."""

    suffix: str
    takes: str
    packages: tuple[str, ...] = ()
    files: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    masked: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


_CLOUD_CFG = """\
# What the lab has decided before any user-data comes.
datasource_list: [NoCloud, None]
datasource:
  NoCloud:
    # The lab hands over a folder, not a drive.
    fs_label: null
# The lab gives every node its address, and the host key that it has told the controller.
network:
  config: disabled
ssh_deletekeys: false
ssh_genkeytypes: [ed25519]
# Debian's lists without what a node has nothing for: growpart and resizefs (the disk is as large as it will be),
# grub-dpkg, apt-pipelining and apt-configure (neither a boot loader nor a package manager).
cloud_init_modules:
  - migrator
  - seed_random
  - bootcmd
  - write-files
  - disk_setup
  - mounts
  - set_hostname
  - update_hostname
  - update_etc_hosts
  - ca-certs
  - rsyslog
  - users-groups
  - ssh
cloud_config_modules:
  - snap
  - ssh-import-id
  - keyboard
  - locale
  - set-passwords
  - ntp
  - timezone
  - disable-ec2-metadata
  - runcmd
  - byobu
system_info:
  default_user:
    name: core
    gecos: ""
    groups: [sudo, systemd-journal]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
    lock_passwd: true
"""

PLAIN: Final = Flavour(suffix="", takes="half a minute")
CLOUD_INIT: Final = Flavour(
    suffix=" with cloud-init",
    takes="a minute",
    packages=("cloud-init", "systemd-timesyncd", "tzdata", "e2fsprogs"),
    files={"etc/cloud/cloud.cfg.d/99_lab.cfg": (0o644, _CLOUD_CFG)},
    removed=("usr/share/i18n", "usr/lib/locale/[!C]*"),
)

_ENGINE = """\
# systemd-nspawn shows the trees of cgroup version 1 and the knobs of the node's own network read-only; containers need
# both. All other knobs in /proc/sys are the host's, and stay so.
[Service]
ExecStartPre=/bin/sh -c 'for tree in cpu cpuacct cpuset memory devices freezer blkio pids; do \
    [ ! -d /sys/fs/cgroup/$$tree ] || mount -o remount,bind,rw /sys/fs/cgroup/$$tree || exit 1; done; \
    mountpoint -q /proc/sys/net || mount --bind /proc/sys/net /proc/sys/net; mount -o remount,bind,rw /proc/sys/net'
"""

CONTAINERS: Final = Flavour(
    suffix=" with containers",
    takes="a minute",
    packages=("docker.io", "podman", "crun", "slirp4netns", "uidmap", "fuse-overlayfs", "dbus-user-session"),
    files={
        "etc/systemd/system/containerd.service.d/10-lab.conf": (0o644, _ENGINE),
        # For users' own containers; the user's systemd itself has no right to do that.
        "etc/systemd/system/user@.service.d/10-lab.conf": (0o644, _ENGINE.replace("=/bin/sh", "=+/bin/sh")),
    },
    removed=(
        # Patterns, because a link that leads nowhere on the host is not there for a plain name.
        "etc/systemd/system/multi-user.target.wants/docker.*",
        "etc/systemd/system/multi-user.target.wants/containerd.*",
        "etc/systemd/system/*.wants/podman*",
        # With a script of that name systemctl would ask for update-rc.d, which is Perl.
        "etc/init.d/docker*",
        "etc/rc?.d/*docker*",
    ),
)
EXTRAS: Final[Mapping[str, Flavour]] = {"docker": CONTAINERS, "podman": CONTAINERS}
"""What ``lab up --with`` knows: words for one image, as building another takes a minute."""


def of(extra: str | None) -> Flavour:
    """The flavour for a word after ``--with``. Raises InputError."""
    if extra is None or extra == "":
        return PLAIN
    if extra not in EXTRAS:
        raise InputError(
            f"a lab cannot have {extra!r}",
            why=did_you_mean(extra, EXTRAS),
            next=f"--with knows {', '.join(EXTRAS)}",
        )
    return EXTRAS[extra]
