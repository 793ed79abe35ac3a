"""``coreops exec PATTERN -- COMMAND``: one command on many hosts. Flags and wiring only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coreops.cli import _options as options

if TYPE_CHECKING:
    from coreops.engine.steps import StepsProgram
    from coreops.events import Emit
    from coreops.inventory import Inventory


def exec_(
    pattern: Annotated[str, typer.Argument(help="Which hosts, e.g. 'store:&eu:!n3'.")],
    command: Annotated[list[str], typer.Argument(help="The command, after --. One word: a shell command line.")],
    inventory: options.Inventory = None,
    limit: options.Limit = None,
    become: Annotated[bool, typer.Option("--become", "-b", help="Run it as root, with sudo.")] = False,
    ask_become_pass: options.AskBecomePass = False,
    user: options.User = None,
    key: options.Key = None,
    transport: options.Transport = "paramiko",
    accept_new: options.AcceptNew = False,
    timeout: Annotated[float, typer.Option("--timeout", min=1, help="Seconds the command may take.")] = 600,
    forks: options.Forks = None,
    as_json: options.Json = False,
    verbose: options.Verbose = 0,
) -> int:
    """Run one command on the hosts that match PATTERN; print each host's output as it arrives.

    Several words are run as they are, without a shell; one word is a shell command line:

        coreops exec all -- uname -r

        coreops exec 'store:!n3' -b -- 'journalctl -u etcd | tail -3'
    """
    from coreops.cli._run import Reach, running
    from coreops.cli.inventory import load
    from coreops.engine.journal import Journal, RunInfo
    from coreops.engine.plays import exit_code
    from coreops.report import choose, compose

    loaded: Inventory = load(inventory)
    hosts = loaded.match(pattern, limit)
    reach = Reach(user, key, transport, accept_new, ask_become_pass, forks, dict.fromkeys(hosts, become))
    journal = Journal.start(RunInfo("exec", {"pattern": pattern}, ""))
    with (
        compose(journal, choose(json=as_json, verbose=verbose, outputs=True)) as emit,
        running("exec", loaded, hosts, reach, emit, journal, check=False) as run,
    ):
        ended = run.engine.drive({host: _program(host, command, timeout, emit) for host in hosts})
        run.ended(ended, exit_code(ended, interrupted=run.engine.interrupted))
    return run.exit_code


def _program(host: str, command: list[str], timeout: float, emit: Emit) -> StepsProgram:
    from coreops.engine.steps import StepsProgram
    from coreops.events import TaskFinished
    from coreops.model import Record, ShellStep, TaskResult
    from coreops.shell.quote import q

    def show(record: Record) -> None:
        out, err = (data.decode(errors="backslashreplace") for data in (record.stdout, record.stderr))
        cut = f"{record.truncated} bytes of output dropped" if record.truncated else ""
        failed = record.state == "failed"
        data = {"rc": record.rc, "stdout": out, "stderr": err, "truncated": record.truncated}
        message = f"exit {record.rc}" if failed else cut
        result = TaskResult(changed=not failed, failed=failed, message=message, data=data)
        emit(TaskFinished(host, record.step, "exec", result, seconds=record.seconds))

    line = command[0] if len(command) == 1 else " ".join(q(word) for word in command)
    step = ShellStep(id="exec", title=Path(command[0]).name, act=line, timeout=timeout, secret=True)
    return StepsProgram([step], on_record=show)
