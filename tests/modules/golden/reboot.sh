# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t.0: {'once': True, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect Reconnect(timeout=600)
probe_t_0() (
cat /proc/sys/kernel/random/boot_id && exit 1
exit 2
)
act_t_0() (
set -eu
msg='it'\''s time'
delay=3
reboot='systemctl reboot'
[ "$delay" = 0 ] || sleep "$delay"
if command -v wall >/dev/null 2>&1; then
  printf '%s\n' "$msg" | wall 2>/dev/null || :
fi
if command -v logger >/dev/null 2>&1; then
  printf '%s\n' "$msg" | logger -t coreops 2>/dev/null || :
fi
if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1; then
  systemd-run --quiet --no-block --on-active=1s --timer-property=AccuracySec=100ms -- /bin/sh -c "$reboot"
else
  # shellcheck disable=SC2016 # expanded by the inner shell
  setsid sh -c 'sleep 1; eval "$1"' sh "$reboot" >/dev/null 2>&1 </dev/null &
fi
)
# t.1: {'once': False, 'changes': False, 'cwd': '/', 'blobs': 0} env [] reconnect None
act_t_1() (
set -eu
test=true
delay=0
[ "$delay" = 0 ] || sleep "$delay"
until sh -c "$test" >/dev/null 2>&1; do sleep 1; done
)
