"""The play that everybody runs: 5 folders, 15 files of about 1 KB, 5 templates; in each tool's own words.

coreops and Ansible get the very same playbook. The floor is one sh script per host, as a careful engineer writes it.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from world import Host, World

TEMPLATE = """\
# {{ inventory_hostname }}: settings number NUMBER
name = {{ inventory_hostname }}
address = {{ address }}
{% for port in ports %}
listen = {{ address }}:{{ port }}
{% endfor %}
"""
PORTS = [2379, 2380, 4001, 7001]
FLOOR = """\
umask 022
dir() {
  if [ ! -d "$1" ]; then mkdir -p "$1" && chmod "$2" "$1" && echo "changed $1"
  elif [ "$(stat -c %a "$1")" != "$2" ]; then chmod "$2" "$1" && echo "changed $1"; fi
}
put() {
  if [ ! -f "$1" ] || [ "$(sha256sum <"$1")" != "$3  -" ]; then
    cat >"$1.new" && chmod "$2" "$1.new" && mv -f "$1.new" "$1" && echo "changed $1"
  elif [ "$(stat -c %a "$1")" != "$2" ]; then chmod "$2" "$1" && echo "changed $1"; fi
}
"""


@dataclass(frozen=True, slots=True)
class Workload:
    """What was written for ``hosts``; ``count`` operations."""

    folder: Path
    count: int

    @property
    def playbook(self) -> Path:
        return self.folder / "play.yml"

    @property
    def ini(self) -> Path:
        return self.folder / "hosts.ini"


def write(world: World, hosts: list[Host], times: int = 1, port: int | None = None) -> Workload:
    """Write everything for a play of ``25 * times`` operations."""
    folder = world.folder / "workload"
    for name in ("files", "templates", "scripts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    dirs = [f"d{i}" for i in range(5 * times)]
    files = {f"d{i % len(dirs)}/f{i}": _content(i) for i in range(15 * times)}
    templates = {f"d{i % len(dirs)}/t{i}": TEMPLATE.replace("NUMBER", str(i)) for i in range(5 * times)}
    for name, text in files.items():
        (folder / "files" / Path(name).name).write_text(text)
    for name, text in templates.items():
        (folder / "templates" / (Path(name).name + ".j2")).write_text(text)
    tasks = [
        *({"name": f"Folder {d}", "file": _args(d, "0755", state="directory", key="path")} for d in dirs),
        *({"name": f"File {f}", "copy": _args(f, "0644", src=Path(f).name)} for f in files),
        *({"name": f"Template {t}", "template": _args(t, "0600", src=f"{Path(t).name}.j2")} for t in templates),
    ]
    play = [{"name": "Files", "hosts": "all", "gather_facts": False, "vars": {"ports": PORTS}, "tasks": tasks}]
    (folder / "play.yml").write_text(json.dumps(play, indent=1))  # JSON is YAML
    _inventories(world, hosts, folder, port)
    (folder / "deploy.py").write_text(_pyinfra(dirs, list(files), list(templates)))
    for host in hosts:
        script = _floor(world, host, dirs, files, templates)
        (folder / "scripts" / host.name).write_text(script)
    return Workload(folder, len(tasks))


def _content(number: int) -> str:
    line = f"key-{number} = the quick brown fox jumps over the lazy dog\n"
    return line * (1024 // len(line))


def _args(name: str, mode: str, key: str = "dest", **more: str) -> dict[str, str]:
    return {key: f"{{{{ root }}}}/{{{{ inventory_hostname }}}}/{name}", "mode": mode, **more}


def _inventories(world: World, hosts: list[Host], folder: Path, port: int | None) -> None:
    lines = [
        f"{host.name} ansible_host={host.address} ansible_port={port or host.port} address={host.address}"
        for host in hosts
    ]
    shared = {
        "ansible_user": world.user,
        "ansible_ssh_private_key_file": str(world.key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={world.known_hosts}",
        "ansible_python_interpreter": "/usr/bin/python3",
        "root": str(world.nodes),
    }
    variables = [f"{name}={shlex.quote(value)}" for name, value in shared.items()]
    (folder / "hosts.ini").write_text("\n".join(["[all]", *lines, "", "[all:vars]", *variables]) + "\n")
    control = folder / "control"
    (folder / "ansible.cfg").write_text(
        "[defaults]\nforks = 30\nhost_key_checking = True\ninterpreter_python = /usr/bin/python3\n"
        f"[ssh_connection]\npipelining = True\ncontrol_path_dir = {control}\n"
    )
    rows = [
        (
            host.name,
            {
                "ssh_hostname": host.address,
                "ssh_port": port or host.port,
                "ssh_user": world.user,
                "ssh_key": str(world.key),
                "ssh_known_hosts_file": str(world.known_hosts),
                "ssh_strict_host_key_checking": "yes",
                "address": host.address,
                "root": str(world.nodes),
            },
        )
        for host in hosts
    ]
    (folder / "inventory.py").write_text(f"hosts = {rows!r}\n")


def _pyinfra(dirs: list[str], files: list[str], templates: list[str]) -> str:
    return f"""\
from pyinfra import host
from pyinfra.operations import files

ROOT = host.data.root + "/" + host.name + "/"
for name in {dirs!r}:
    files.directory(path=ROOT + name, mode="755")
for name in {files!r}:
    files.put(src="files/" + name.rpartition("/")[2], dest=ROOT + name, mode="644")
for name in {templates!r}:
    files.template(
        src="templates/" + name.rpartition("/")[2] + ".j2", dest=ROOT + name, mode="600",
        inventory_hostname=host.name, address=host.data.address, ports={PORTS!r},
    )
"""


def _floor(world: World, host: Host, dirs: list[str], files: dict[str, str], templates: dict[str, str]) -> str:
    root = world.nodes / host.name
    out = [FLOOR]
    out += [f"dir {root}/{name} 755\n" for name in dirs]
    for name, text, mode in [
        *((name, text, "644") for name, text in files.items()),
        *((name, _rendered(text, host), "600") for name, text in templates.items()),
    ]:
        digest = hashlib.sha256(text.encode()).hexdigest()
        out.append(f"put {root}/{name} {mode} {digest} <<'END'\n{text}END\n")
    return "".join(out)


def _rendered(text: str, host: Host) -> str:
    """What Jinja2 makes of TEMPLATE; the floor has nothing to render."""
    head, rest = text.split("{% for port in ports %}\n")
    body = rest.split("{% endfor %}\n")[0]
    text = head + "".join(body.replace("{{ port }}", str(port)) for port in PORTS)
    return text.replace("{{ inventory_hostname }}", host.name).replace("{{ address }}", host.address)
