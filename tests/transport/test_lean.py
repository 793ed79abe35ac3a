"""paramiko comes without invoke, and ``Match exec`` still works."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from coreops.transport import transport_for
transport_for("paramiko")
assert not {"invoke", "asyncio", "unittest.mock"} & sys.modules.keys(), "invoke was imported"
assert "importlib.metadata" not in sys.modules
import paramiko
from importlib.metadata import version
assert paramiko.__version__ == version("paramiko"), paramiko.__version__
from paramiko import SSHConfig
config = SSHConfig.from_text('Match exec "true"\\n  User yes\\nMatch exec "false"\\n  User no\\n')
assert config.lookup("h")["user"] == "yes"
assert "asyncio" in sys.modules
"""


def test_invoke_is_imported_only_for_match_exec():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
