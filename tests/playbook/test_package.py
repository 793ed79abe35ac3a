"""The package's promises: a sorted public API, and nothing heavy before it is needed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import coreops.playbook
from tests.playbook.driver import run


def test_the_public_api_is_sorted_and_there() -> None:
    names = coreops.playbook.__all__
    assert names == sorted(names)
    assert all(getattr(coreops.playbook, name) is not None for name in names)


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, coreops.playbook; print({'jinja2', 'yaml', 'pydantic'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_play_without_templates_needs_no_jinja(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from coreops.playbook import bind, load_playbook;"
        "from coreops.inventory import load_inventory; base = Path(sys.argv[1]);"
        "plays = bind(load_playbook(base / 'play.yml'), load_inventory(base / 'hosts.ini'), emit=print);"
        "print(plays[0].program('n1', ('n1',)).next() is not None, 'jinja2' in sys.modules)"
    )
    run(tmp_path, "- hosts: n1\n  tasks:\n    - copy: {dest: /etc/x, content: x}\n      when: true\n")
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True False"
