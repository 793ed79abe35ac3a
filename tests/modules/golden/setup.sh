# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
say() { printf '%s %s\n' "$1" "$2"; }
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
sed -n -e 's/^MemTotal:/memtotal/p' -e 's/^MemFree:/memfree/p' -e 's/^MemAvailable:/memavailable/p' \
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
)
