# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
dest='/etc/it'\''s'
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() {
  is=$(stat -L -c '%a %u %U %g %G' -- "$1") || exit 2
  # shellcheck disable=SC2086 # five words
  set -- $is
  [ "$1" = 640 ] && { [ "$2" = root ] || [ "$3" = root ]; }
}
set_attributes() {
  chown -- root "$1"
  chmod -- 00640 "$1"
}
[ -e "$dest" ] || [ -L "$dest" ] || fail "$dest does not exist; say with state what to make"
attributes_hold "$dest"
)
act_t() (
set -eu
dest='/etc/it'\''s'
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() {
  is=$(stat -L -c '%a %u %U %g %G' -- "$1") || exit 2
  # shellcheck disable=SC2086 # five words
  set -- $is
  [ "$1" = 640 ] && { [ "$2" = root ] || [ "$3" = root ]; }
}
set_attributes() {
  chown -- root "$1"
  chmod -- 00640 "$1"
}
set_attributes "$dest"
)
