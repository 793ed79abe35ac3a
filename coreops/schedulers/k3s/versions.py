"""k3s's versions (``v1.32.4+k3s1``), and which of them may run beside each other: Kubernetes' rules of version skew.
Pure.

kube-apiservers of one cluster are at most one minor apart, so servers go one minor at a time and never back. A kubelet
is never newer than its apiserver, and at most three minors older (two before 1.28).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_VERSION = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:\+k3s(\d+))?", re.ASCII)
OLDEST = (1, 22)
"""Before it, evictions had another API version."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """One release; ``str`` is as k3s writes it. build: the number after ``+k3s``."""

    major: int
    minor: int
    patch: int
    build: int = 0

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}.{self.patch}" + (f"+k3s{self.build}" if self.build else "")

    @property
    def minors(self) -> tuple[int, int]:
        return self.major, self.minor


def parse(text: str) -> Version | None:
    """``v1.32.4+k3s1``; None for anything else."""
    found = _VERSION.fullmatch(text)
    return Version(*(int(each or 0) for each in found.groups())) if found else None


def server_step(running: Version, wanted: Version) -> str:
    """Why a server that runs one version must not be restarted as the other; "" when it may."""
    if wanted.minors < running.minors:
        return f"it runs {running}, and the data of a newer Kubernetes cannot be read by an older one"
    if wanted.major != running.major or wanted.minor > running.minor + 1:
        return f"it runs {running}, and a server takes one minor version at a time"
    return ""


def beside(kubelet: Version, server: Version) -> str:
    """Why a kubelet must not run under a server; "" when it may."""
    if kubelet.minors > server.minors:
        return f"an agent ({kubelet}) must not be newer than a server ({server})"
    allowed = 3 if server.minors >= (1, 28) else 2
    if kubelet.major != server.major or server.minor - kubelet.minor > allowed:
        return f"an agent ({kubelet}) may be {allowed} minor versions older than a server ({server}), not more"
    return ""
