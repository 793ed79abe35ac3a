# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': False, 'cwd': '/', 'blobs': 0} env [] reconnect None
act_t() (
set -eu
limit=300
delay=0
pause=1
what='/x is not gone and says (?i)it'\''s\d after 300 s'
pattern='it'\''s[0-9]'
path=/x
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
match() { LC_ALL=C grep -q -i -E -e "$pattern"; }
there() { ! { [ -f "$path" ] && match <"$path"; }; }
[ "$delay" = 0 ] || sleep "$delay"
end=$(($(date +%s) + limit))
while :; do
  if there; then exit 0; fi
  [ "$(date +%s)" -lt "$end" ] || fail "$what"
  sleep "$pause"
done
)
