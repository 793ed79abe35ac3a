"""The package's door."""

from __future__ import annotations

import subprocess
import sys

import pytest

import coreops.transport
from coreops.errors import InputError
from coreops.transport import transport_for


def test_public_names_are_sorted_and_exist() -> None:
    names = coreops.transport.__all__
    assert names == sorted(names)
    assert all(hasattr(coreops.transport, name) for name in names)


def test_an_unknown_transport_is_bad_input_with_a_hint() -> None:
    with pytest.raises(InputError) as caught:
        transport_for("paramico")
    assert "paramiko" in str(caught.value.next)


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    code = "import sys, coreops.transport; print({'paramiko', 'cryptography'} & {*sys.modules})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
