"""reboot: the node goes down and comes back with another boot id."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coreops.model import Reconnect, Record, Step, TaskResult
from coreops.modules import readers, sh
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument
from coreops.modules.results import is_changed, outcome, text


class RebootArguments(Arguments):
    reboot_timeout = argument(
        readers.number(above=0), 600, description="Seconds until it must be back with another boot id."
    )
    msg = argument(
        readers.text, "Reboot initiated by coreops", description="What users of the node and its journal are told."
    )
    pre_reboot_delay = argument(readers.integer(at_least=0), 0, description="Seconds to wait before.")
    post_reboot_delay = argument(readers.integer(at_least=0), 0, description="Seconds to wait after it is back.")
    test_command = argument(
        readers.text, None, description="A command that must succeed afterwards, tried until it does."
    )
    reboot_command = argument(readers.text, None, description="What reboots the node. Default: `systemctl reboot`.")
    connect_timeout = argument(
        readers.number(), None, description="Accepted for Ansible's sake; the connection's own counts."
    )


class Reboot(Module[RebootArguments]):
    """Reboots. It is done when the boot id changed, not when a command exited."""

    name = "reboot"
    summary = "Reboot the node and wait until it is back"
    arguments = RebootArguments
    example = """\
- name: Start the new kernel
  reboot:
    reboot_timeout: 300
    test_command: systemctl is-active sshd.socket sshd.service
"""

    def steps(self, args: RebootArguments, context: Context) -> Sequence[Step]:
        command = args.reboot_command or "systemctl reboot"
        after = args.test_command is not None or args.post_reboot_delay > 0
        values = {"msg": args.msg, "delay": str(args.pre_reboot_delay), "reboot": command}
        steps = [
            context.step(
                id=f"{context.id}.0" if after else context.id,
                probe="cat /proc/sys/kernel/random/boot_id && exit 1\nexit 2\n",
                act=sh.act(_ACT, **values),
                once=True,
                timeout=context.timeout + args.pre_reboot_delay,
                reconnect=Reconnect(args.reboot_timeout),
            )
        ]
        if after:
            test = {"test": args.test_command or ":", "delay": str(args.post_reboot_delay)}
            steps.append(
                context.step(
                    id=f"{context.id}.1",
                    act=sh.act(_TEST, **test),
                    changes=False,
                    timeout=args.reboot_timeout + args.post_reboot_delay,
                )
            )
        return steps

    def result(self, args: RebootArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        data: dict[str, Any] = {"rebooted": bool(records) and records[0].state == "changed"}
        data["elapsed"] = round(sum(record.seconds for record in records))
        if records and is_changed(records[:1]):
            data["boot_id_before"] = text(records[0].before).strip()
        return outcome(records, data)


# The reboot begins when this shell has answered: a second later, in a unit (or session) of its own.
_ACT = """\
[ "$delay" = 0 ] || sleep "$delay"
if command -v wall >/dev/null 2>&1; then
  printf '%s\\n' "$msg" | wall 2>/dev/null || :
fi
if command -v logger >/dev/null 2>&1; then
  printf '%s\\n' "$msg" | logger -t coreops 2>/dev/null || :
fi
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1; then
  systemd-run --quiet --no-block --on-active=1s --timer-property=AccuracySec=100ms -- /bin/sh -c "$reboot"
else
  # shellcheck disable=SC2016 # expanded by the inner shell
  setsid sh -c 'sleep 1; eval "$1"' sh "$reboot" >/dev/null 2>&1 </dev/null &
fi
"""
_TEST = """\
[ "$delay" = 0 ] || sleep "$delay"
until sh -c "$test" >/dev/null 2>&1; do sleep 1; done
"""
