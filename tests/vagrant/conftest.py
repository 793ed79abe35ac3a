"""Skips, with the reason, where no Vagrant can run."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from coreops.errors import InputError
from coreops.providers.namespace import image
from coreops.providers.namespace.host import require_linux_root, require_programs
from coreops.store import lockfile
from coreops.store.artifact import archive


@pytest.fixture(scope="session")
def needs() -> Callable[..., None]:
    """Skip unless these programs, and what a lab needs, are here. Fetches etcd, for who has no network later."""

    def check(*programs: str) -> None:
        try:
            require_linux_root()
            require_programs(build=not image.current().disk.exists())
        except InputError as error:
            pytest.skip(f"no Vagrant here: {error}")
        if missing := [program for program in programs if shutil.which(program) is None]:
            pytest.skip(f"no Vagrant here: missing {', '.join(missing)} (group vagrant of scripts/packages.txt)")
        archive(lockfile.choose(lockfile.read(lockfile.DEFAULT), "etcd", "amd64", None, where=None))

    return check
