"""Who else may upgrade or reboot a node, and how it is told to leave that to coreops. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

_KUBERNETES = {
    "kured": "kured may reboot it: delete its DaemonSet, or label the node so that it does not run there",
    "update-agent": "the Flatcar update operator's agent may reboot it: remove the operator from this node",
    "update-operator": "the Flatcar update operator may reboot nodes: remove it, or pause it on this node",
}
_TAKES_OVER = {
    "zincati.service": "Zincati upgrades it",
    "rauc-hawkbit-updater.service": "the hawkBit updater upgrades it",
}


def blockers(
    units: Mapping[str, Mapping[str, str]],
    strategies: Sequence[str],
    coordinator: Sequence[str],
    processes: Sequence[str],
) -> Iterator[str]:
    """One sentence for every agent that must hand over first.

    units: properties of the units that the node knows. strategies: REBOOT_STRATEGY of the configuration files, the
    most important one last. coordinator: lines of update_engine's coordinator.conf. processes: names seen running.
    """
    yield from _locksmith(units.get("locksmithd.service", {}), strategies[-1] if strategies else "reboot", coordinator)
    engine = units.get("update-engine.service", {})
    if _could_run(engine):
        yield (
            "update-engine may overwrite the passive slot and mark the booted one good by itself: "
            "systemctl mask --now update-engine.service"
        )
    for unit, what in _TAKES_OVER.items():
        if _runs(units.get(unit, {})):
            yield f"{what}: systemctl mask --now {unit}"
    for name in sorted(set(processes)):
        yield _KUBERNETES.get(name, f"{name} may reboot it: stop it first")


def blesser(units: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """Who would mark a slot good before coreops has looked at it, where systemd-boot counts tries."""
    if _could_run(units.get("systemd-bless-boot.service", {})):
        yield (
            "systemd-bless-boot would mark a new release good as soon as it is up: "
            "systemctl mask systemd-bless-boot.service"
        )


def _locksmith(unit: Mapping[str, str], strategy: str, coordinator: Sequence[str]) -> Iterator[str]:
    told = dict(line.split("=", 1) for line in coordinator if "=" in line)
    active = told.get("STATE", "disabled") not in ("disabled", "")
    if active and told.get("NAME", "locksmithd") != "locksmithd":
        yield f"{told['NAME']} has taken charge of reboots (/run/update-engine/coordinator.conf): stop it first"
    elif _runs(unit) and (told.get("STRATEGY", strategy) if active else strategy) != "off":
        yield (
            f"locksmithd may reboot it (REBOOT_STRATEGY={strategy}): write REBOOT_STRATEGY=off to "
            "/etc/flatcar/update.conf (or /etc/coreos/update.conf), and systemctl mask --now locksmithd.service"
        )


def _runs(unit: Mapping[str, str]) -> bool:
    return unit.get("ActiveState") in ("active", "activating", "reloading")


def _could_run(unit: Mapping[str, str]) -> bool:
    """Now, or after the next boot: it starts there although nobody has enabled it by name."""
    return unit.get("LoadState", "not-found") not in ("not-found", "masked") or _runs(unit)
