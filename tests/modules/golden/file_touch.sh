# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
dest=/a
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() { :; }
set_attributes() { :; }
exit 1
)
act_t() (
set -eu
dest=/a
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() { :; }
set_attributes() { :; }
[ -e "$dest" ] || : >"$dest"
touch -a -- "$dest"
set_attributes "$dest"
)
