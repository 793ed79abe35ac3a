# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': False, 'cwd': '/', 'blobs': 0} env [] reconnect None
act_t() (
set -eu
limit=300
delay=0
pause=1
what='127.0.0.1:2379 is not drained after 300 s'
port=2379
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
hex=$(printf ':%04X' "$port")
drained() {
  set -- /proc/net/tcp
  [ ! -r /proc/net/tcp6 ] || set -- "$@" /proc/net/tcp6
  [ -z "$(awk -v hex="$hex" '$4 ~ /^(01|02|03|08)$/ && substr($2, length($2) - 4) == hex { print; exit }' "$@")" ]
}
there() { { drained; }; }
[ "$delay" = 0 ] || sleep "$delay"
end=$(($(date +%s) + limit))
while :; do
  if there; then exit 0; fi
  [ "$(date +%s)" -lt "$end" ] || fail "$what"
  sleep "$pause"
done
)
