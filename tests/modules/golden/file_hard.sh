# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
dest=/a
src=/b
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() { :; }
set_attributes() { :; }
[ -e "$src" ] || fail "$src does not exist"
[ -e "$dest" ] || [ -L "$dest" ] || exit 1
[ "$(stat -c %d:%i -- "$dest")" = "$(stat -c %d:%i -- "$src")" ] || exit 1
attributes_hold "$dest"
)
act_t() (
set -eu
force=False
dest=/a
src=/b
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() { :; }
set_attributes() { :; }
if [ -e "$dest" ] || [ -L "$dest" ]; then
  if [ "$(stat -c %d:%i -- "$dest")" != "$(stat -c %d:%i -- "$src")" ]; then
    [ "$force" = True ] || fail "$dest exists and is another file; force: true replaces it"
    [ ! -d "$dest" ] || fail "$dest is a directory"
    ln -- "$src" "$dest.coreops.$$"
    mv -f -- "$dest.coreops.$$" "$dest"
  fi
else
  ln -- "$src" "$dest"
fi
set_attributes "$dest"
)
