"""What a guest image is made of beyond what every lab image is, as data. Pure; ``image`` cooks it.

A change here is a new image in the cache.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import astuple, replace
from pathlib import Path
from typing import Final

from coreops.providers.namespace import disk, recipe
from coreops.providers.namespace.flavour import PLAIN, Flavour

BOOT_PACKAGES = ("linux-image-cloud-amd64", "busybox-static", "systemd-boot-efi", "ovmf")
"""Unpacked, never installed: the kernel, what the initramfs consists of, boot manager and firmware."""

PACKAGES = ("udev", "kmod", "ignition", "e2fsprogs")
"""Installed. Ignition is for a first boot that is given a config in its words (init.sh)."""

MODULES = ("virtio_pci", "virtio_blk", "qemu_fw_cfg", "squashfs", "vfat", "nls_cp437", "nls_ascii", "softdog")
"""What the initramfs needs of the kernel; ext4 is built in, all else is loaded from /usr. softdog: systemd looks for a
watchdog before udev is there, and Debian's kernel for clouds has no driver of one that QEMU has.
"""

LAYOUT: Final = tuple(
    # Kernels: those of both slots, and those that are being written beside them.
    replace(partition, size=128) if partition.label == "EFI-SYSTEM" else partition
    for partition in disk.LAYOUT
)

CMDLINE: Final = (
    "console=ttyS0 mitigations=off random.trust_cpu=on net.ifnames=0 systemd.gpt_auto=0 systemd.show_status=1"
    # A kernel that is lost starts again. Emulated among others, a processor may stand still for half a minute, and the
    # timer be late when the kernel looks for it, which would be a panic.
    " panic=5 oops=panic softlockup_panic=1 sysctl.kernel.watchdog_thresh=60 no_timer_check"
    # Emulated among others, it is measured wrong, and time then passes too fast. KVM has a clock of its own.
    " tsc=unstable"
    # Emulated, memory that is wiped twice is a tenth of a boot.
    " init_on_alloc=0"
)

MASKED: Final = (
    # Each costs an emulated machine a process or more in every boot, and nobody in the guest uses it.
    *("dev-hugepages.mount", "dev-mqueue.mount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount"),
    *("sys-kernel-debug.mount", "sys-kernel-tracing.mount", "proc-sys-fs-binfmt_misc.automount"),
    *("modprobe@.service", "kmod-static-nodes.service", "systemd-pstore.service", "systemd-update-utmp.service"),
    *("systemd-update-utmp-runlevel.service", "systemd-tmpfiles-clean.timer"),
    # A second systemd at the first login of a user; the session is there without it.
    "user@.service",
)

REMOVED: Final = (
    # Names of hardware; of what a machine of QEMU has, none is asked for.
    *("usr/lib/udev/hwdb.bin", "usr/lib/udev/hwdb.d"),
    "usr/bin/ignition-validate",
    # They run in every boot, and whenever units are read anew, and find nothing.
    *(
        f"usr/lib/systemd/system-generators/systemd-{name}-generator"
        for name in (
            *("cryptsetup", "gpt-auto", "hibernate-resume", "integritysetup", "rc-local", "run", "system-update"),
            *("sysv", "veritysetup"),
        )
    ),
)

ABSENT: Final = (
    # Drivers of what no machine of QEMU has, and file systems of other machines' disks.
    *(f"drivers/{name}" for name in ("comedi", "hv", "infiniband", "nvdimm", "target", "xen")),
    *(f"fs/{name}" for name in ("btrfs", "ceph", "nfs", "nfsd", "ocfs2", "orangefs", "smb", "xfs")),
    *(f"net/{name}" for name in ("ceph", "dccp", "rds", "sctp", "smc", "sunrpc", "tipc")),
)
"""Of the kernel's modules: what is not shipped."""

_HERE: Final = Path(__file__).parent
_TRIAL = """\
[Unit]
Description=Leave a slot that lets nobody in
ConditionPathExists=/run/slot-on-trial
# Whatever the boot comes to, be it emergency mode.
DefaultDependencies=no
IgnoreOnIsolate=yes
FailureAction=reboot-force

[Service]
Type=oneshot
ExecStart=/usr/lib/slot-trial
TimeoutStartSec=10min
StandardOutput=journal+console
"""

_FILES: Mapping[str, tuple[int, str]] = {
    # For who gives no address: a network of QEMU's own, or libvirt's.
    "usr/lib/systemd/network/80-dhcp.network": (
        0o644,
        # Its name it has by user-data; to be told another would cost it one more service.
        "[Match]\nName=eth*\n\n[Network]\nDHCP=ipv4\n\n[DHCPv4]\nUseHostname=false\n",
    ),
    "usr/lib/systemd/system/multi-user.target.d/network.conf": (0o644, "[Unit]\nWants=systemd-networkd.service\n"),
    "usr/lib/systemd/system/ssh-keys.service": (
        0o644,
        "[Unit]\nDescription=Host keys of sshd\nBefore=ssh.service\nConditionPathExists=!/etc/ssh/ssh_host_ed25519_key"
        "\n\n[Service]\nType=oneshot\nExecStart=/usr/bin/ssh-keygen -q -t ed25519 -N '' -f"
        " /etc/ssh/ssh_host_ed25519_key\n",
    ),
    "usr/lib/systemd/system/ssh.service.d/keys.conf": (
        0o644,
        "[Unit]\nWants=ssh-keys.service\nAfter=ssh-keys.service\n",
    ),
    # A systemd that is lost, too: the watchdog resets the machine.
    "usr/lib/systemd/system.conf.d/watchdog.conf": (0o644, "[Manager]\nRuntimeWatchdogSec=3min\n"),
    # The drives, the card, the power button and the console; not the hundreds of devices that no rule is for.
    "usr/lib/systemd/system/systemd-udev-trigger.service.d/few.conf": (
        0o644,
        "[Service]\nExecStart=\nExecStart=-udevadm trigger --action=add --subsystem-match=acpi --subsystem-match=block"
        " --subsystem-match=input --subsystem-match=misc --subsystem-match=net --subsystem-match=pci"
        " --subsystem-match=virtio\nExecStart=-udevadm trigger --action=add --name-match=ttyS0\n",
    ),
    "usr/lib/systemd/system/slot-trial.service": (0o644, _TRIAL),
    "usr/lib/systemd/system/sysinit.target.d/trial.conf": (0o644, "[Unit]\nWants=slot-trial.service\n"),
    "usr/lib/slot-trial": (0o755, (_HERE / "slot-trial.sh").read_text()),
    "usr/lib/first-boot": (0o755, (_HERE / "ignition.sh").read_text()),
    # Debian's Ignition ends with work for SELinux, which is not here.
    "etc/selinux/config": (0o644, "SELINUX=disabled\nSELINUXTYPE=none\n"),
    "usr/lib/ignition/bin/setfiles": (0o755, "#!/bin/sh\n"),
}

# A machine has drives and no folder of the host's; its addresses come with the user-data.
_CLOUD_CFG = "etc/cloud/cloud.cfg.d/99_lab.cfg"
_LAB_ONLY = (
    "datasource:\n  NoCloud:\n    # The lab hands over a folder, not a drive.\n    fs_label: null\n",
    "network:\n  config: disabled\n",
)


def guest(flavour: Flavour = PLAIN) -> Flavour:
    """The same flavour for a machine with a kernel of its own."""
    files = {**flavour.files, **_FILES}
    if _CLOUD_CFG in files:
        mode, text = files[_CLOUD_CFG]
        for part in _LAB_ONLY:
            text = text.replace(part, "")
        files[_CLOUD_CFG] = mode, text + "  network:\n    renderers: [networkd]\n"
    return replace(
        flavour,
        suffix=f"{flavour.suffix} for virtual machines",
        takes="a minute or two",
        packages=(*flavour.packages, *PACKAGES),
        files=files,
        masked=(*flavour.masked, *MASKED),
        removed=(*flavour.removed, *REMOVED),
    )


def fingerprint(*more: str, flavour: Flavour = PLAIN) -> str:
    """Name the image by what goes into it."""
    parts = [BOOT_PACKAGES, MODULES, ABSENT, [astuple(each) for each in LAYOUT], CMDLINE, *more]
    return recipe.fingerprint(json.dumps(parts), flavour=guest(flavour))
