"""``coreops run`` and ``coreops exec`` as an operator uses them, on real nodes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from coreops.engine.engine import Engine
from coreops.engine.steps import StepsProgram
from coreops.inventory import load_inventory, target
from coreops.model import Blob, FileStep
from tests.support import warm
from tests.support.shells import new_run
from tests.transport.delay_proxy import DelayProxy

pytestmark = pytest.mark.lab
COREOPS = str(Path(sys.executable).with_name("coreops"))
SECRET = "correct horse $(battery) 'staple'"


@pytest.fixture
def project(healthy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(healthy, tmp_path)


class Project:
    def __init__(self, lab, folder: Path) -> None:
        self.lab, self.folder = lab, folder
        self.inventory = str(lab.inventory)

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [COREOPS, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def coreops(self, *words: str) -> subprocess.CompletedProcess[str]:
        return warm.run([sys.executable, "-c", warm.MAIN, *words], timeout=300)

    def run(self, playbook: str, *words: str) -> subprocess.CompletedProcess[str]:
        return self.coreops("run", playbook, "-i", self.inventory, *words)

    def events(self, done: subprocess.CompletedProcess[str]) -> list[dict]:
        return [json.loads(line) for line in done.stdout.splitlines()]

    def on(self, pattern: str, script: str) -> str:
        done = self.coreops("exec", pattern, "-i", self.inventory, "-b", "--json", "--", script)
        assert done.returncode == 0, done.stderr
        finished = [event for event in self.events(done) if event["event"] == "task_finished"]
        return "".join(event["result"]["data"]["stdout"] for event in sorted(finished, key=lambda e: e["host"]))


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "condition did not come true in time"
        time.sleep(0.05)


SITE = """\
- name: site
  hosts: all
  become: true
  tasks:
    - name: a folder
      file: {path: /etc/site, state: directory, mode: "0750"}
    - name: files
      copy:
        content: "{{ inventory_hostname }} {{ item }} $(x) `y` 'z'\\n"
        dest: "/etc/site/{{ item }}"
      loop: [plain, "with blank", "-dash", "quote'", "ü"]
      notify: tell
    - name: a template
      template: {src: site.j2, dest: /etc/site/template, mode: "0600"}
    - name: a unit that is on
      systemd: {name: ssh.service, state: started}
  handlers:
    - name: tell
      shell: echo told >> /var/tmp/told
"""


def test_first_run_check_and_a_run_that_changes_nothing_in_one_exchange(project):
    project.on("all", "rm -rf /etc/site /var/tmp/told")
    project.write("templates/site.j2", "{{ ansible_host }} {{ group_names | join(',') }}\n")
    book = project.write("site.yml", SITE)

    foreseen = project.run(book, "--check", "--diff", "--json")
    assert foreseen.returncode == 0, foreseen.stderr
    assert project.on("all", "ls -d /etc/site 2>&1 | head -c 3") == "ls:" * 3
    done = project.run(book, "--json")
    assert done.returncode == 0, done.stderr

    def changes(ran):
        finished = [event for event in project.events(ran) if event["event"] == "task_finished"]
        return {(e["host"], e["name"], e["item"]) for e in finished if e["result"]["changed"] and e["name"] != "tell"}

    assert changes(foreseen) == changes(done)
    assert len(changes(done)) == 3 * 7
    assert project.on("all", "cat /var/tmp/told") == "told\n" * 3

    again = project.run(book, "--json")
    assert changes(again) == set()
    ends = [event for event in project.events(again) if event["event"] == "host_finished"]
    assert [(end["state"], end["changed"], end["exchanges"]) for end in ends] == [("done", 0, 1)] * 3
    assert project.on("all", "cat /var/tmp/told") == "told\n" * 3


def test_serial_batches_and_their_budget(project):
    project.on("all", "rm -f /var/tmp/batch")
    book = project.write(
        "serial.yml",
        """\
- hosts: all
  become: true
  serial: 1
  max_fail_percentage: 0
  tasks:
    - shell: "[ $(uname -n) != n2 ] && touch /var/tmp/batch"
""",
    )
    done = project.run(book)
    assert done.returncode == 1
    assert project.on("all", "[ ! -e /var/tmp/batch ] || uname -n") == "n1\n"


def test_ctrl_c_finishes_the_step_and_resume_goes_on(project):
    project.on("all", "rm -f /var/tmp/steps")
    book = project.write(
        "slow.yml",
        """\
- hosts: all
  become: true
  tasks:
    - name: first
      shell: echo first >> /var/tmp/steps; sleep 12; echo end >> /var/tmp/steps
    - name: second
      shell: echo second >> /var/tmp/steps
""",
    )
    running = project.start("run", book, "-i", project.inventory)
    until(lambda: project.on("all", "cat /var/tmp/steps || true") == "first\n" * 3)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert running.returncode == 5, out + err
    assert project.on("all", "cat /var/tmp/steps") == "first\nend\n" * 3
    resumed = project.coreops("run", "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert project.on("all", "cat /var/tmp/steps") == "first\nend\nsecond\n" * 3


def test_kill_9_of_the_controller_and_resume_acts_once(project):
    project.on("all", "rm -f /var/tmp/once")
    tasks = "".join(f"    - shell: echo {n} >> /var/tmp/once; sleep 1\n" for n in range(12))
    book = project.write("once.yml", f"- hosts: all\n  become: true\n  tasks:\n{tasks}")
    running = project.start("run", book, "-i", project.inventory)
    until(lambda: "4\n" in project.on("n1", "cat /var/tmp/once || true"))
    running.kill()
    running.communicate(timeout=120)
    for _ in range(3):
        resumed = project.coreops("run", "--resume")
        if resumed.returncode == 0:
            break
    assert resumed.returncode == 0, resumed.stderr
    whole = "".join(f"{n}\n" for n in range(12))
    assert project.on("all", "cat /var/tmp/once") == whole * 3


def test_secrets_are_shown_and_written_nowhere(project):
    project.write("secret.yml", json.dumps({"password": SECRET}))
    book = project.write(
        "secrets.yml",
        """\
- hosts: all
  become: true
  vars_files: [secret.yml]
  tasks:
    - name: a file
      copy: {content: "{{ password }}", dest: /var/tmp/secret, mode: "0600"}
      no_log: true
    - name: a command that fails
      shell: printf %s "$PASSWORD"; printf %s "$PASSWORD" >&2; exit 3
      environment: {PASSWORD: "{{ password }}"}
      no_log: true
      ignore_errors: true
      register: answer
    - name: it was there
      assert:
        that: answer.stdout == password
      no_log: true
""",
    )
    for words in (["--diff", "-vv", "--junit", "out.xml"], ["--json", "--diff"], ["--check", "--diff", "-vv"]):
        done = project.run(book, *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "battery" not in done.stdout + done.stderr
    assert project.on("n1", "cat /var/tmp/secret; stat -c %a /var/tmp/secret; rm /var/tmp/secret") == f"{SECRET}600\n"
    written = [path for path in (project.folder / ".coreops").rglob("*") if path.is_file()]
    assert len(written) > 6
    for path in [*written, project.folder / "out.xml"]:
        assert "battery" not in path.read_text(errors="replace"), path


def test_unreachable_hosts_are_grouped_and_the_others_go_on(project):
    inventory = project.write(
        "hosts.yml",
        json.dumps(
            {
                "all": {
                    "hosts": {
                        **{f"down{n}": {"ansible_host": "127.0.0.1", "ansible_port": 1} for n in range(1, 6)},
                        "lost": {"ansible_host": "no-such-host.invalid"},
                    },
                    "vars": {"ansible_user": "core"},
                }
            }
        ),
    )
    done = project.coreops("exec", "all", "-i", inventory, "--", "true")
    assert done.returncode == 3
    assert "5 hosts: connection refused" in done.stderr
    assert "host name does not resolve" in done.stderr


def test_a_slow_line_costs_few_round_trips(project):
    """A node behind 300 ms: one exchange for everything, whatever the number of steps."""
    goal = target(load_inventory(project.lab.inventory), "n1")
    with DelayProxy((goal.address, goal.port or 22), 0.3) as proxy:
        known = project.folder / "known_hosts"
        lines = Path(goal.known_hosts[0]).read_text().splitlines()
        known.write_text("".join(f"[127.0.0.1]:{proxy.port} {line.split(maxsplit=1)[1]}\n" for line in lines))
        slow = replace(goal, address="127.0.0.1", port=proxy.port, known_hosts=(known,))
        steps = [
            FileStep(id=str(n), title="t", path=f"/var/tmp/slow{n}", kind="file", content=Blob.of(b"x" * 100))
            for n in range(40)
        ]
        for state in ("changed", "ok"):
            program = StepsProgram(steps)
            began = time.monotonic()
            with Engine({"n1": slow}, lambda event: None, run=new_run()) as engine:
                assert engine.drive({"n1": program})["n1"].state == "done"
            assert {record.state for record in program.records.values()} == {state}
            trips = (time.monotonic() - began) / 0.3
        assert trips < 14  # 9 on an idle machine; 40 tasks asked one by one would take 80
