"""Swap and storage in both text targets: units that systemd takes, keys that cloud-init takes, the rest told."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from coreops.cloudconfig.model import Node
from coreops.cloudconfig.targets.cloud_init import render as cloud_init
from coreops.cloudconfig.targets.coreos import render as coreos
from coreops.cloudconfig.targets.mounts import with_mounts
from coreops.errors import InputError
from tests.cloudconfig.real import programs
from tests.cloudconfig.support import node

TEXT = r"""
swap: {file: /var/swap-file, size_mib: 3}
storage:
  disks:
    - {device: /dev/sdb, wipe_table: true, partitions: [{label: data}]}
    - {device: /dev/disk/by-id/nvme-eui.0025, partitions: [{label: a, size_mib: 10}, {label: b}]}
    - {device: /dev/sdd, wipe_table: true}
  filesystems:
    - device: /dev/sdb1
      format: ext4
      path: /var/lib/my-data
      label: data
      options: [-m, "0"]
      mount_options: [noatime, "context=%a"]
    - {device: /dev/disk/by-id/nvme-eui.0025-part1, format: swap, wipe_filesystem: true}
    - {device: '/dev/disk/by-label/a\x20b', format: xfs, path: /srv}
    - {device: /dev/sde, format: btrfs}
coreos: {units: [{name: a.service, command: start}]}
"""


def said(data: bytes) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(data)
    return loaded


def keys(losses: Any) -> list[str]:
    return [loss.key.removeprefix("storage.") for loss in losses]


def test_coreos_mounts_and_swaps_by_units_and_makes_no_filesystem() -> None:
    done = coreos(node(TEXT))
    units = {unit["name"]: unit for unit in said(done.data)["coreos"]["units"]}
    assert list(units) == [
        r"var-lib-my\x2ddata.mount",
        r"dev-disk-by\x2did-nvme\x2deui.0025\x2dpart1.swap",
        "srv.mount",
        "a.service",
        "coreops-swap-file.service",
        r"var-swap\x2dfile.swap",
    ]
    assert "Options=noatime,context=%%a\n" in units[r"var-lib-my\x2ddata.mount"]["content"]
    assert "What=/dev/disk/by-label/a\\x20b\n" in units["srv.mount"]["content"]
    assert keys(done.losses) == [
        *("disks[/dev/sdb].wipe_table", "disks[/dev/sdb].partitions[data]"),
        "disks[/dev/disk/by-id/nvme-eui.0025].partitions[a]",
        "disks[/dev/disk/by-id/nvme-eui.0025].partitions[b]",
        "disks[/dev/sdd].wipe_table",
        *(f"filesystems[/dev/sdb1].{key}" for key in ("format", "label", "options")),
        *(f"filesystems[/dev/disk/by-id/nvme-eui.0025-part1].{key}" for key in ("format", "wipe_filesystem")),
        *(r"filesystems[/dev/disk/by-label/a\x20b].format", "filesystems[/dev/sde].format"),
    ]
    assert str(done.losses[-1]).endswith("; not written")


def test_cloud_init_has_keys_for_most() -> None:
    done = cloud_init(node(TEXT))
    found = said(done.data)
    assert found["swap"] == {"filename": "/var/swap-file", "size": 3 * 2**20}
    assert found["disk_setup"] == {
        "/dev/sdb": {"table_type": "gpt", "layout": True, "overwrite": True},
        "/dev/sdd": {"layout": "remove"},
    }
    assert found["device_aliases"] == {"disk0": "/dev/disk/by-id/nvme-eui.0025-part1"}
    assert found["fs_setup"][:2] == [
        {"device": "/dev/sdb1", "filesystem": "ext4", "label": "data", "partition": "auto", "extra_opts": ["-m", "0"]},
        {"device": "disk0", "filesystem": "swap", "partition": "none", "overwrite": True},
    ]
    assert keys(done.losses) == [
        "disks[/dev/sdb].partitions[data].label",
        "disks[/dev/disk/by-id/nvme-eui.0025].partitions[a]",
        "disks[/dev/disk/by-id/nvme-eui.0025].partitions[b]",
    ]
    assert "systemctl start -- srv.mount || failed=1" in found["runcmd"]


@pytest.mark.parametrize(
    ("partition", "layout", "lost"),
    [
        ("{label: a, type_guid: 0657fd6d-a4ab-43c4-84e5-0933c84b4f4f}", [[100, 82]], ["label"]),
        ("{label: a, wipe_partition_entry: true}", True, ["label", "wipe_partition_entry"]),
        ("{label: a, type_guid: c12a7328-f81f-11d2-ba4b-00a0c93ec93b}", None, [""]),
        ("{label: a, number: 2}", None, [""]),
    ],
)
def test_a_partition_for_cloud_init(partition: str, layout: object, lost: list[str]) -> None:
    done = cloud_init(node(f"storage: {{disks: [{{device: /dev/a, partitions: [{partition}]}}]}}"))
    assert said(done.data).get("disk_setup", {}).get("/dev/a", {}).get("layout") == layout
    assert keys(done.losses) == [f"disks[/dev/a].partitions[a]{'.' * bool(key)}{key}" for key in lost]


@pytest.mark.parametrize(
    ("data", "mounted"), [("/srv", True), ("/srv/a %b", True), ("/srvx", False), ("/var/lib", False)]
)
@pytest.mark.parametrize("unit", ["", "etcd2.service", "etcd.service"])
def test_debians_etcd_waits_for_its_disk(data: str, mounted: bool, unit: str) -> None:
    more = f"\n  etcd_member: {{data_dir: '{data}'}}\n  units: [" + (
        f"{{name: {unit}, command: start}}" if unit else ""
    )
    text = TEXT.replace("coreos: {units: [{name: a.service, command: start}]}", f"coreos:{more}]")
    found = {each["path"]: each["content"] for each in said(cloud_init(node(text)).data)["write_files"]}
    drop_in = found.get("/etc/systemd/system/etcd.service.d/20-coreops.conf", "")
    word = '"' + data.replace("%", "%%") + '"'
    assert (f"RequiresMountsFor={word}\n" in drop_in) == mounted
    assert (f"-m 0700 {word}\n" in drop_in) == mounted


@pytest.mark.parametrize("name", ["srv.mount", "coreops-swap-file.service"])
def test_a_unit_of_that_name_is_there_already(name: str) -> None:
    with pytest.raises(InputError, match="becomes the unit"):
        coreos(node(TEXT.replace("a.service", name)))


def units(made: Node, folder: Path) -> list[Path]:
    found = []
    for unit in with_mounts((), made.storage, made.swap):
        found.append(folder / unit.name)
        found[-1].write_text(unit.content or "")
    return found


def test_the_real_systemd_takes_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    done = subprocess.run(
        [program, "verify", "--man=no", *units(node(TEXT), tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert "coreops" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


def test_the_swap_file_is_made_once_and_whole(tmp_path: Path) -> None:
    mkswap = shutil.which("mkswap")
    if mkswap is None:
        pytest.skip("mkswap is not installed")
    path = tmp_path / "var" / "swap-file"
    service = units(node(TEXT.replace("/var/swap-file", str(path))), tmp_path)[-2]
    (command,) = [line for line in service.read_text().splitlines() if line.startswith("ExecStart=")]
    # As systemd reads it: %% is %, $$ is $, and the quotes are the shell's.
    text = command.removeprefix("ExecStart=").replace("%%", "%").replace("$$", "$")
    path.parent.mkdir()
    path.with_name("swap-file.new").write_text("half of the last one")
    subprocess.run(["sh", "-c", text], check=True, capture_output=True, timeout=60)
    assert path.stat().st_size == 3 * 2**20
    assert path.stat().st_mode & 0o777 == 0o600
    assert b"SWAPSPACE2" in path.read_bytes()[:8192]
    assert [each.name for each in path.parent.iterdir()] == ["swap-file"]


def test_the_real_cloud_init_takes_it(tmp_path: Path) -> None:
    program = programs.cloud_init().command
    path = tmp_path / "user-data"
    path.write_bytes(cloud_init(node(TEXT)).data)
    done = subprocess.run([program, "schema", "--config-file", path], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
