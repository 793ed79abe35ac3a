"""The floor: paramiko by itself, one connection and one command per host, a thread per host in the window.

``floor.py HOSTS.json SCRIPTS WINDOW`` runs the prebuilt script of every host; ``floor.py HOSTS.json - WINDOW COMMAND``
runs one command. Written to be as fast as paramiko's public interface allows, with strict host keys.
"""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import paramiko


def main(hosts: str, scripts: str, window: str, *command: str) -> int:
    about = json.loads(Path(hosts).read_text())
    key = paramiko.Ed25519Key.from_private_key_file(about["key"])
    trusted = paramiko.HostKeys(about["known_hosts"])

    def visit(host: dict[str, str]) -> tuple[int, int]:
        client = paramiko.SSHClient()
        client.get_host_keys().update(trusted)
        client.set_missing_host_key_policy(paramiko.RejectPolicy())
        client.connect(
            host["address"],
            int(host["port"]),
            about["user"],
            pkey=key,
            look_for_keys=False,
            allow_agent=False,
            timeout=60,
            banner_timeout=60,
            auth_timeout=60,
        )
        line = " ".join(command) if command else (Path(scripts) / host["name"]).read_text()
        stdin, out, err = client.exec_command(line)
        stdin.close()
        said = out.read()
        complaint = err.read()
        code = out.channel.recv_exit_status()
        client.close()
        if complaint:
            print(host["name"], complaint.decode(), file=sys.stderr)
        if command:
            print(host["name"], said.decode().strip())
        return code, said.count(b"changed ")

    with ThreadPoolExecutor(int(window)) as pool:
        results = list(pool.map(visit, about["hosts"]))
    print(f"{len(results)} hosts, {sum(changed for _, changed in results)} changed")
    return max(code for code, _ in results)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
