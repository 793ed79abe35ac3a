"""The package's surface and its borders."""

from __future__ import annotations

import subprocess
import sys

import coreops.inventory


def test_all_is_sorted_and_true() -> None:
    names = coreops.inventory.__all__
    assert names == sorted(names, key=lambda name: (not name.isupper(), name.islower(), name))
    assert all(hasattr(coreops.inventory, name) for name in names)


def test_importing_it_pulls_in_nothing_that_connects() -> None:
    code = (
        "import sys, coreops.inventory;"
        "print(*{'socket', 'subprocess', 'paramiko', 'jinja2', 'pydantic'}.intersection(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == ""
