"""coreops's engine without playbooks and command line, for profiling: ``direct.py HOSTS.json WORKLOAD NODES [FORKS]``.

The steps are those that the 25 tasks of the playbook compile to.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from coreops.engine.engine import Engine
from coreops.engine.steps import StepsProgram
from coreops.model import Blob, FileStep, Target


def main(hosts: str, workload: str, nodes: str, forks: str = "256") -> int:
    about = json.loads(Path(hosts).read_text())
    folder = Path(workload)
    files = {path.name: Blob.of(path.read_bytes()) for path in (folder / "files").iterdir()}
    templates = {path.stem: Blob.of(path.read_bytes()) for path in (folder / "templates").iterdir()}
    targets, programs = {}, {}
    for host in about["hosts"]:
        name = host["name"]
        targets[name] = Target(
            name=name,
            address=host["address"],
            port=int(host["port"]),
            user=about["user"],
            identity_files=(Path(about["key"]),),
            known_hosts=(Path(about["known_hosts"]),),
        )
        root = f"{nodes}/{name}"
        paths = [(f"{root}/d{i}", None, 0o755) for i in range(5)]
        paths += [(f"{root}/d{int(file[1:]) % 5}/{file}", blob, 0o644) for file, blob in files.items()]
        paths += [(f"{root}/d{int(file[1:]) % 5}/{file}", blob, 0o600) for file, blob in templates.items()]
        programs[name] = StepsProgram(
            [
                FileStep(id=path, title=path, path=path, kind="file" if blob else "directory", content=blob, mode=mode)
                for path, blob, mode in paths
            ]
        )
    with Engine(targets, lambda event: None, run="direct", forks=int(forks)) as engine:
        outcomes = engine.drive(programs)
    changed = sum(record.state == "changed" for program in programs.values() for record in program.records.values())
    for name, outcome in outcomes.items():
        if outcome.error is not None:
            print(name, outcome.error, file=sys.stderr)
    print(f"{len(outcomes)} hosts, {changed} changed")
    return int(any(outcome.state != "done" for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
