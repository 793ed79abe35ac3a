"""The probe behind the facts, and how its lines become them. Every line begins with a word that says what it is."""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Sequence
from typing import Any

# Ansible's words for the families; ID_LIKE decides for the others.
_FAMILIES = {
    "debian": "Debian",
    "ubuntu": "Debian",
    "fedora": "RedHat",
    "rhel": "RedHat",
    "centos": "RedHat",
    "coreos": "CoreOS",
    "flatcar": "Flatcar",
    "suse": "Suse",
    "opensuse": "Suse",
    "arch": "Archlinux",
    "alpine": "Alpine",
    "gentoo": "Gentoo",
}
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DF = re.compile(r"(?P<device>.*?)\s+(?P<total>\d+)\s+\d+\s+(?P<free>-?\d+)\s+\S+\s+(?P<mount>/.*)")
_ADDRESS = re.compile(
    r"\d+: (?P<interface>\S+)\s+(?P<family>inet6?) (?P<address>[^/ ]+)(?:/(?P<prefix>\d+))?.* scope (\S+)"
)

PROBE = """\
set -u
say() { printf '%s %s\\n' "$1" "$2"; }
first() {
  if [ -r "$2" ] && IFS= read -r line <"$2"; then say "$1" "$line"; fi
}
first nodename /proc/sys/kernel/hostname
first kernel /proc/sys/kernel/osrelease
first boot_id /proc/sys/kernel/random/boot_id
first machine_id /etc/machine-id
first uptime /proc/uptime
first selinux /sys/fs/selinux/enforce
say architecture "$(uname -m)"
for file in /etc/os-release /usr/lib/os-release; do
  if [ -r "$file" ]; then
    sed 's/^/os /' "$file"
    break
  fi
done
sed -n -e 's/^MemTotal:/memtotal/p' -e 's/^MemFree:/memfree/p' -e 's/^MemAvailable:/memavailable/p' \\
  -e 's/^SwapTotal:/swaptotal/p' /proc/meminfo
sed 's/^/mount /' /proc/self/mounts
timeout 5 df -P -k -l 2>/dev/null | sed 's/^/df /'
say nproc "$(nproc)"
say user "$(id -u) $(id -g) $(id -un)"
say home "${HOME:-/}"
say date "$(date '+%s %z %Z %Y %m %d %H %M %S %A')"
say ns "$(date +%s%N)"
if command -v ip >/dev/null 2>&1; then
  ip -o addr show 2>/dev/null | sed 's/^/addr /'
  ip -4 route show default 2>/dev/null | sed 's/^/route /'
  ip -o link show 2>/dev/null | sed 's/^/link /'
fi
if command -v hostname >/dev/null 2>&1; then
  say fqdn "$(timeout 2 hostname -f 2>/dev/null)"
fi
first init /proc/1/comm
if [ -d /run/systemd/system ]; then
  systemctl --version | sed -n '1s/^/systemd /p'
  say state "$(systemctl is-system-running 2>/dev/null)"
fi
exit 0
"""


def parse_facts(said: str, patterns: Sequence[str] = ()) -> dict[str, Any]:
    """The probe's output -> ``ansible_facts``."""
    lines: dict[str, list[str]] = {}
    for line in said.split("\n"):
        word, _, rest = line.partition(" ")
        lines.setdefault(word.rstrip("\t:"), []).append(rest.strip())
    one = {word: values[0] for word, values in lines.items()}
    facts = _system(one, _os_release(lines.get("os", ())))
    facts |= _network(lines)
    facts |= _machine(one)
    facts["mounts"] = _mounts(lines)
    facts["usr_readonly"] = _read_only(facts["mounts"], "/usr")
    facts["date_time"] = _date(one)
    facts["gather_subset"] = ["all"]
    if patterns:
        plain = [pattern.removeprefix("ansible_") for pattern in patterns]
        return {name: value for name, value in facts.items() if any(fnmatch.fnmatch(name, p) for p in plain)}
    return facts


def _os_release(lines: Sequence[str]) -> dict[str, str]:
    """Shell syntax by specification, but only read: a value that no quoting rule explains stays as it is."""
    values = {}
    for line in lines:
        name, equals, value = line.partition("=")
        if not equals or not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
            continue
        if quoted := _DOUBLE.fullmatch(value):
            values[name] = re.sub(r"\\([$`\"\\])", r"\1", quoted[1])
            continue
        try:
            values[name] = "".join(shlex.split(value)[:1])
        except ValueError:
            values[name] = value
    return values


def _system(one: dict[str, str], release: dict[str, str]) -> dict[str, Any]:
    ident = release.get("ID", "linux")
    likes = [ident, *release.get("ID_LIKE", "").split()]
    family = next((_FAMILIES[like] for like in likes if like in _FAMILIES), ident.capitalize())
    version = release.get("VERSION_ID", "")
    nodename = one.get("nodename", "")
    fqdn = one.get("fqdn", "") or nodename
    user = one.get("user", "").split(" ")
    systemd = one.get("systemd", "").split()
    return {
        "system": "Linux",
        "distribution": release.get("NAME", ident).removesuffix(" GNU/Linux"),
        "distribution_id": ident,
        "distribution_version": version,
        "distribution_major_version": version.split(".")[0],
        "distribution_release": release.get("VERSION_CODENAME", ""),
        "os_family": family,
        "os_release": release,
        "architecture": one.get("architecture", ""),
        "kernel": one.get("kernel", ""),
        "nodename": nodename,
        "hostname": nodename.split(".")[0],
        "fqdn": fqdn,
        "domain": fqdn.partition(".")[2],
        "machine_id": one.get("machine_id", ""),
        "boot_id": one.get("boot_id", ""),
        "service_mgr": "systemd" if systemd else one.get("init", ""),
        "systemd": {"version": _number(systemd[1] if len(systemd) > 1 else ""), "state": one.get("state", "")},
        "selinux": {"status": "enabled" if "selinux" in one else "disabled", "enforcing": one.get("selinux") == "1"},
        "user_uid": _number(user[0]),
        "user_gid": _number(user[1] if len(user) > 1 else ""),
        "user_id": user[2] if len(user) > 2 else "",
        "user_dir": one.get("home", ""),
    }


def _machine(one: dict[str, str]) -> dict[str, Any]:
    nproc = _number(one.get("nproc", "")) or 1
    megabytes = {name: (_number(one.get(name, "").split(" ")[0]) or 0) // 1024 for name in _MEMORY}
    return {
        "memtotal_mb": megabytes["memtotal"],
        "memfree_mb": megabytes["memfree"],
        "memavailable_mb": megabytes["memavailable"],
        "swaptotal_mb": megabytes["swaptotal"],
        "processor_vcpus": nproc,
        "processor_nproc": nproc,
        "uptime_seconds": _number(one.get("uptime", "").split(".")[0]) or 0,
    }


_MEMORY = ("memtotal", "memfree", "memavailable", "swaptotal")


def _network(lines: dict[str, list[str]]) -> dict[str, Any]:
    found = [match for line in lines.get("addr", ()) if (match := _ADDRESS.match(line))]
    interfaces = list(dict.fromkeys(match["interface"].split("@")[0] for match in found))
    for line in lines.get("link", ()):
        name = line.split(":")[1].strip().split("@")[0] if line.count(":") > 1 else ""
        if name and name not in interfaces:
            interfaces.append(name)
    global4 = [m for m in found if m["family"] == "inet" and m[5] == "global"]
    route = lines["route"][0].split() if lines.get("route") else []
    device = route[route.index("dev") + 1] if "dev" in route[:-1] else None
    # Without a default route (a closed network): the first address that others can reach.
    chosen = next((m for m in global4 if device in (None, m["interface"])), None)
    default: dict[str, Any] = {}
    if chosen is not None:
        default = {"address": chosen["address"], "interface": chosen["interface"], "prefix": chosen["prefix"] or "32"}
        if "via" in route[:-1]:
            default["gateway"] = route[route.index("via") + 1]
    return {
        "default_ipv4": default,
        "all_ipv4_addresses": [m["address"] for m in found if m["family"] == "inet" and m["interface"] != "lo"],
        "all_ipv6_addresses": [m["address"] for m in found if m["family"] == "inet6" and m["interface"] != "lo"],
        "interfaces": interfaces,
    }


def _mounts(lines: dict[str, list[str]]) -> list[dict[str, Any]]:
    sizes = {m["mount"]: m for line in lines.get("df", ()) if (m := _DF.fullmatch(line))}
    mounts: list[dict[str, Any]] = []
    for line in lines.get("mount", ()):
        words = [_unescape(word) for word in line.split(" ")]
        if len(words) < 4 or (not words[0].startswith("/") and words[1] not in ("/", "/usr")):
            continue
        mount: dict[str, Any] = {"device": words[0], "mount": words[1], "fstype": words[2], "options": words[3]}
        if size := sizes.get(words[1]):
            mount |= {"size_total": int(size["total"]) * 1024, "size_available": int(size["free"]) * 1024}
        mounts.append(mount)
    return mounts


def _unescape(word: str) -> str:
    """The kernel writes blanks and newlines as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), word)


def _read_only(mounts: Sequence[dict[str, Any]], path: str) -> bool:
    at = [mount for mount in mounts if mount["mount"] in ("/", path)]
    at.sort(key=lambda mount: len(mount["mount"]))
    return bool(at) and "ro" in at[-1]["options"].split(",")


def _date(one: dict[str, str]) -> dict[str, Any]:
    words = one.get("date", "").split(" ")
    if len(words) < 10 or not _is_number(words[0]):
        return {}
    epoch, offset, zone, year, month, day, hour, minute, second, weekday = words[:10]
    nanoseconds = one.get("ns", "")
    fine = _is_number(nanoseconds) and len(nanoseconds) > 15
    return {
        "epoch": epoch,
        "epoch_int": epoch,
        "epoch_ns": int(nanoseconds) if fine else int(epoch) * 1_000_000_000,
        "tz": zone,
        "tz_offset": offset,
        "year": year,
        "month": month,
        "day": day,
        "hour": hour,
        "minute": minute,
        "second": second,
        "date": f"{year}-{month}-{day}",
        "time": f"{hour}:{minute}:{second}",
        "weekday": weekday,
    }


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _number(text: str) -> int | None:
    match = re.match(r"-?\d+", text)
    return int(match[0]) if match else None
