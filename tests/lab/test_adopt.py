"""Nodes that were born of user-data tell a discovery server who they are, and are adopted into another inventory."""

from __future__ import annotations

import ipaddress
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from coreops.adoption.waiting import waiting
from coreops.errors import InputError
from coreops.providers.namespace import image
from coreops.providers.namespace.flavour import CLOUD_INIT
from coreops.providers.namespace.host import require_programs
from coreops.providers.namespace.lab import Lab
from coreops.serving.listen import Listen
from tests.discovery.endpoint import endpoint, wait_for
from tests.support import warm

pytestmark = pytest.mark.lab


@dataclass
class Site:
    """The lab's nodes, and an inventory that knows nobody.."""

    lab: str
    base: Path
    ledger: Path

    @property
    def folder(self) -> Path:
        return self.base / "prod"

    def coreops(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        done = warm.run([sys.executable, "-c", warm.MAIN, *words], timeout=300, cwd=self.base)
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def write(self, text: str) -> None:
        head = f"all:\n  vars: {{ansible_user: core, ansible_ssh_private_key_file: {self.base}/lab/id_ed25519}}\n"
        self.folder.mkdir(exist_ok=True)
        (self.folder / "hosts.yml").write_text(head + text)

    def adopt(self, *words: str, expect: int = 0) -> subprocess.CompletedProcess[str]:
        return self.coreops("adopt", "-i", "prod", "--ledger", str(self.ledger), *words, expect=expect)


@pytest.fixture(scope="module")
def site(lab_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    try:
        require_programs(build=not image.current(CLOUD_INIT).disk.exists())
    except InputError as error:
        pytest.skip(f"no lab here: {error}")
    base = tmp_path_factory.mktemp("site")
    made = Site(f"a{os.getpid()}", base, base / "discovery.db")
    own = ("lab", "up", "--name", made.lab, "--inventory", "lab")
    try:
        made.coreops(*own, "--nodes", "2", "--no-boot")
        nodes = yaml.safe_load((base / "lab" / "hosts.yml").read_text())["all"]["children"]["store"]["hosts"]
        here = str(ipaddress.ip_network(f"{nodes['n1']['ansible_host']}/24", strict=False)[1])
        token = made.coreops("discovery", "new", "prod", "--size", "1", "--url", f"http://{here}:8087").stdout.strip()
        url = token.replace(":8087/", ":8087/hello/")
        key = (base / "lab" / "id_ed25519.pub").read_text().strip()
        (base / "lab" / "group_vars").mkdir()
        (base / "lab" / "group_vars" / "all.yml").write_text(
            yaml.safe_dump({"node_ssh_keys": [key], "node_hello": url})
        )
        made.coreops("render", "-i", "lab", "-t", "cloud-init", "-p", "lab", "-o", "user-data")
        made.coreops(*own, "--user-data", "user-data")
        # they keep telling until somebody listens
        with endpoint(base, listen=Listen(here, 8087)):
            wait_for(lambda: len(waiting(made.ledger, "prod", {})) == 2, 60)
        yield made
    finally:
        Lab.down(made.lab)


def test_from_user_data_to_the_inventory(site: Site) -> None:
    site.write("  children:\n    store: {hosts: {n1: }}\n    worker: {hosts: }\n")
    before = (site.folder / "hosts.yml").read_bytes()
    shown = [json.loads(line) for line in site.adopt("--check", "--json").stdout.splitlines()]
    assert {each["host"]: each["state"] for each in shown} == dict.fromkeys(("n1", "n2"), "would be adopted")
    assert {each["hostname"] for each in shown} == {"n1", "n2"}
    keys = {each["host"]: each["fingerprint"] for each in shown}
    said = site.adopt("--yes", keys["n1"], "--group", "worker", expect=4)
    assert "n2 is not adopted" in said.stderr
    assert "the one that it registered with" in said.stderr
    site.adopt("--yes", keys["n2"], "--group", "worker")
    assert "nobody is there to be adopted" in site.adopt().stderr
    assert (site.folder / "hosts.yml").read_bytes() == before
    assert "n2" in (site.folder / "adopted" / "n2.yml").read_text()
    assert set(site.coreops("exec", "-i", "prod", "all", "--", "uname", "-n").stdout.split()) >= {"n1", "n2"}


def test_one_machine_under_two_names_is_refused(site: Site) -> None:
    """Another address of n1, as another host: nobody could tell but by asking."""
    here = Lab.open(site.lab)
    one = here.node("n1")
    other = f"{one.address.rpartition('.')[0]}.99"
    device = f"ip -o -4 address show to {one.address} | cut -d' ' -f2"
    subprocess.run(here.ssh_command("n1", [f"sudo ip address add {other}/24 dev $({device})"]), check=True, timeout=60)
    site.write("  children:\n    store: {hosts: {n1: , n3: , n2: }}\n")
    (site.folder / "adopted" / "n2.yml").unlink(missing_ok=True)
    found = json.loads(site.coreops("adopt", "-i", "prod", f"n3={other}", "--check", "--json", expect=4).stdout)
    assert "it is n3 and n1 at once" in found["error"]["what"]
    lines = (site.folder / "known_hosts").read_text()
    mine = next(line for line in lines.splitlines() if line.startswith(one.address))
    (site.folder / "known_hosts").write_text(lines + mine.replace(one.address, other) + "\n")
    site.write(
        f"  children:\n    store:\n      hosts:\n        n1:\n        n3: {{ansible_host: {other}}}\n        n2:\n"
    )
    said = site.coreops("bootstrap", "prod", expect=2)
    assert "not a machine-id of its own" in said.stderr
    assert "n1 (prod/hosts.yml:6" in said.stderr
    assert "n3 (prod/hosts.yml:7" in said.stderr
