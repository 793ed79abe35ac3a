"""systemd (and service): the state of one unit, read back from systemd itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from coreops.model import Record, Step, TaskResult
from coreops.modules import readers, sh
from coreops.modules.base import Context, Module
from coreops.modules.declared import Arguments, argument
from coreops.modules.results import outcome, text


def _unit(value: str) -> str:
    if not value or value.startswith("-") or any(c in " \t\n/*?[" for c in value):
        raise ValueError(f"{value!r} is not the name of a unit; a path is written as systemd-escape shows it")
    return value


class SystemdArguments(Arguments):
    name = argument(
        readers.text.then(_unit),
        None,
        aliases=("service", "unit"),
        description="The unit; `.service` may be left out.",
    )
    state = argument(
        readers.choice("started", "stopped", "restarted", "reloaded"),
        None,
        description="`restarted` and `reloaded` act always (`reloaded` starts a stopped one).",
    )
    enabled = argument(readers.boolean, None, description="Is it started at boot?")
    masked = argument(readers.boolean, None, description="Can it not be started at all?")
    daemon_reload = argument(
        readers.boolean,
        False,
        aliases=("daemon-reload",),
        description="Let systemd read its unit files first. Not a change.",
    )
    no_block = argument(readers.boolean, False, description="Do not wait until the unit has started or stopped.")
    force = argument(readers.boolean, False, description="Let `enabled` replace links that stand in its way.")
    scope = argument(readers.choice("system"), "system", description="Only the units of the system.")

    def check(self) -> None:
        if self.name is None and not self.asks_nothing:
            raise ValueError("needs the name of a unit")
        if self.name is None and not self.daemon_reload:
            raise ValueError("nothing to do; give a unit and its state, or daemon_reload")

    @property
    def asks_nothing(self) -> bool:
        """Only to look, or to reload."""
        return self.state is None and self.enabled is None and self.masked is None


class Systemd(Module[SystemdArguments]):
    """Starts, stops, enables and masks units."""

    name = "systemd"
    summary = "Start, stop, enable and mask units (also as `service`)"
    arguments = SystemdArguments
    example = """\
- name: etcd runs, now and after a reboot
  systemd:
    name: etcd
    state: started
    enabled: true
    daemon_reload: true
    no_block: true
"""

    def steps(self, args: SystemdArguments, context: Context) -> Sequence[Step]:
        steps = []
        # A reload alone tells nothing in check mode; the unit's own probe does.
        reload = args.daemon_reload and not (context.check and args.name is not None)
        both = reload and args.name is not None
        if reload:
            steps.append(
                context.step(
                    id=f"{context.id}.0" if both else context.id,
                    act="exec systemctl daemon-reload\n",
                    changes=False,
                )
            )
        if args.name is not None:
            probe, act = _scripts(args)
            steps.append(
                context.step(
                    id=f"{context.id}.1" if both else context.id,
                    probe=probe,
                    act=act,
                    once=args.state in ("restarted", "reloaded"),
                )
            )
        return steps

    def result(self, args: SystemdArguments, context: Context, records: Sequence[Record]) -> TaskResult:
        data: dict[str, Any] = {}
        if args.name is not None:
            data["name"] = args.name
            said = records[-1] if len(records) == len(self.steps(args, context)) else None
            if said is not None:
                shown = text(said.before or said.stdout)
                data["status"] = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
        for key, value in (("state", args.state), ("enabled", args.enabled), ("masked", args.masked)):
            if value is not None:
                data[key] = value
        if context.check and all(record.state == "skipped" for record in records):
            return TaskResult(data=data)  # a daemon-reload is no change
        diff = (
            f"# {args.name}: {data.get('status', {}).get('ActiveState', '')} -> {args.state}\n" if context.diff else ""
        )
        result = outcome(records, data)
        return result if not result.changed or not args.state else outcome(records, data, diff=diff)


def _scripts(args: SystemdArguments) -> tuple[str, str | None]:
    name = args.name or ""
    if args.asks_nothing:
        return sh.probe(sh.FAIL, _SHOW, _EXISTS, unit=name), None
    wants: list[tuple[str, str]] = []
    if args.masked is not None:
        word = "mask" if args.masked else "unmask"
        wants.append((_MASKED if args.masked else _UNMASKED, f'systemctl {word} -- "$unit"'))
    if args.enabled is not None:
        word = "enable" if args.enabled else "disable"
        force = "--force " if args.force else ""
        wants.append((_ENABLED if args.enabled else _DISABLED, f'systemctl {word} {force}-- "$unit"'))
    if args.state is not None:
        block = "--no-block " if args.no_block else ""
        test = {"started": _STARTED, "stopped": _STOPPED}.get(args.state, "false")
        verb = {"started": "start", "stopped": "stop", "restarted": "restart", "reloaded": "reload-or-restart"}[
            args.state
        ]
        wants.append((test, f'systemctl {verb} {block}-- "$unit" || explain'))
    must_exist = "" if args.masked and args.state is None and args.enabled is None else _EXISTS
    probe = sh.probe(sh.FAIL, _SHOW, must_exist, *(f"{test} || exit 1\n" for test, _ in wants), unit=name)
    explain = _EXPLAIN if args.state is not None else ""
    act = sh.act(sh.FAIL, explain, *(f"{_SHOW}{test} || {{ {verb}; }}\n" for test, verb in wants), unit=name)
    return probe, act


# Sets LoadState, ActiveState, ... after showing them.
_SHOW = """\
is=$(systemctl show -p LoadState,ActiveState,SubState,UnitFileState,FragmentPath -- "$unit") || exit 2
printf '%s\\n' "$is"
# shellcheck disable=SC2034 # not all are looked at
while IFS='=' read -r key value; do
  case $key in
    LoadState) load=$value ;;
    ActiveState) active=$value ;;
    UnitFileState) file=$value ;;
  esac
done <<END
$is
END
"""
_EXISTS = """\
case $load in
  not-found) fail "there is no unit $unit on this node; install its unit file first (and daemon_reload)" ;;
  bad-setting | error) fail "the unit file of $unit is wrong ($load); see: systemctl status $unit" ;;
esac
"""
_MASKED = "case $load:$file in masked:* | *:masked) ;; *) false ;; esac"
_UNMASKED = "case $load:$file in masked:* | *:masked) false ;; esac"
# static, indirect, generated, alias: nothing could be enabled or disabled.
_ENABLED = (
    "case $file in enabled | enabled-runtime | static | indirect | generated | transient | alias) ;; *) false ;; esac"
)
_DISABLED = "case $file in enabled | enabled-runtime | linked | linked-runtime) false ;; esac"
_STARTED = "case $active in active | activating | reloading) ;; *) false ;; esac"
_STOPPED = "case $active in inactive | failed) ;; *) false ;; esac"
_EXPLAIN = """\
explain() {
  {
    systemctl status --no-pager --lines 10 -- "$unit" || :
  } >&2
  exit 2
}
"""
