"""The options of etcd 3 are the flags that a real etcd has."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from coreops.cloudconfig.model.etcd_member import EtcdMember
from coreops.errors import CoreopsError

# Of etcd itself, not of a member.
NOT_OPTIONS = {"config-file", "version", "help"}


def flags(program: Path) -> set[str]:
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=True, timeout=60)
    return set(re.findall(r"^ +--([a-z0-9-]+)", done.stdout + done.stderr, re.MULTILINE)) - NOT_OPTIONS


def options() -> set[str]:
    return {name.replace("_", "-") for name in EtcdMember.model_fields}


def downloaded(folder: Path) -> Path | None:
    """The etcd that coreops installs, where it was fetched before."""
    from coreops.store import artifact, lockfile

    locked = lockfile.choose(lockfile.read(lockfile.DEFAULT), "etcd", "amd64", None, where=None)
    try:
        with tarfile.open(artifact.archive(locked)) as tar:
            tar.extract("etcd", folder, filter="data")
    except (CoreopsError, KeyError):
        return None
    return folder / "etcd"


def test_every_flag_of_a_real_etcd_is_an_option(tmp_path: Path) -> None:
    named = [*os.environ.get("ETCD_PROGRAMS", "").split(os.pathsep), shutil.which("etcd") or ""]
    programs = [Path(name) for name in named if name]
    if found := downloaded(tmp_path):
        programs.append(found)
    if not programs:
        pytest.skip("there is no etcd (PATH, ETCD_PROGRAMS, or the one that coreops installs)")
    for program in programs:
        assert flags(program) - options() == set(), program


def test_names_are_in_order_and_no_option_reads_options_from_elsewhere() -> None:
    assert list(EtcdMember.model_fields) == sorted(EtcdMember.model_fields)
    assert not options() & NOT_OPTIONS
