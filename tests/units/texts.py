"""Units that several tests read."""

from __future__ import annotations

from coreops.units import fleet, names, unit_file
from coreops.units.loading import Loaded

WEB = """\
[Unit]
Description=Web
After=docker.service
Requires=docker.service
[Service]
TimeoutStartSec=0
ExecStartPre=-/usr/bin/docker rm -f web-%i
ExecStartPre=/usr/bin/docker pull nginx:1
ExecStart=/usr/bin/docker run --rm --init --name web-%i -p 8080:80/tcp -e "A=b c" --ulimit nofile=65536 \\
    -v /srv:/srv:ro -m 64m nginx:1 nginx -g "daemon off;"
ExecStop=/usr/bin/docker stop -t 20 web-%i
Restart=always
RestartSec=5
[X-Fleet]
Conflicts=web@*.service
"""


def unit(text: str, name: str = "a.service") -> Loaded:
    """A unit that is in no file."""
    read, called = unit_file.parse(text, name), names.read(name)
    return Loaded(called, read, text, fleet.wish(read, called))


def run(line: str, more: str = "", name: str = "a.service") -> Loaded:
    """A unit with one command."""
    return unit(f"[Service]\nExecStart=/usr/bin/docker run {line}\n{more}", name)
