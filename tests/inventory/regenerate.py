"""Writes golden/*/expected.json from a real Ansible: ``python regenerate.py`` with ansible-inventory on the PATH.

Not part of the tests: they compare with what was written here, and need no Ansible.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path

GOLDEN = Path(__file__).resolve().parent / "golden"


def main() -> None:
    with tempfile.TemporaryDirectory() as empty:
        env = {**os.environ, "HOME": empty, "LC_ALL": "C.UTF-8", "ANSIBLE_HOST_PATTERN_MISMATCH": "ignore"}
        version = _run(["ansible", "--version"], env).splitlines()[0]
        for case in sorted(GOLDEN.iterdir()):
            expected = {"made_by": version, **_expected(case, env)}
            (case / "expected.json").write_text(json.dumps(expected, indent=1, sort_keys=True) + "\n")


def _expected(case: Path, env: dict[str, str]) -> dict[str, object]:
    inventory = ["-i", str(case / "inventory")]
    playbooks = ["--playbook-dir", str(case / "playbooks")] if (case / "playbooks").is_dir() else []
    shown = json.loads(_run(["ansible-inventory", *inventory, *playbooks, "--list"], env))
    patterns = {}
    for pattern in (case / "patterns.txt").read_text().split("\n"):
        if pattern:
            lines = _run(["ansible", *inventory, pattern, "--list-hosts"], env).splitlines()
            patterns[pattern] = [line.strip() for line in lines[1:]]
    return {"hostvars": shown.pop("_meta")["hostvars"], "groups": shown, "patterns": patterns}


def _run(command: list[str], env: dict[str, str]) -> str:
    return subprocess.run(command, env=env, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
