# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 1} env [] reconnect None
probe_t() (
set -u
dest=/etc/t
sum=b9e68e1bea3e5b19ca6b2f98b73a54b73daafaa250484902e09982e07a12e733
force=True
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() { :; }
[ ! -d "$dest" ] || fail "$dest is a directory; end dest with / to put the file into it"
[ -e "$dest" ] || exit 1
[ "$force" = False ] || [ "$(sha256sum <"$dest" | cut -c 1-64)" = "$sum" ] || exit 1
attributes_hold "$dest"
)
act_t() (
set -eu
dest=/etc/t
sum=b9e68e1bea3e5b19ca6b2f98b73a54b73daafaa250484902e09982e07a12e733
force=True
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
set_attributes() { :; }
validate() { :; }
backup() {
  [ -e "$1" ] || return 0
  backup_file="$1.$$.$(date +%Y-%m-%d@%H:%M:%S)~"
  cp -p -- "$1" "$backup_file"
  printf 'backup %s\n' "$backup_file"
}
place() {
  if [ -e "$2" ]; then
    old=$(stat -L -c '%a %u:%g' -- "$2")
    chown -- "${old#* }" "$1"
    chmod -- "0${old%% *}" "$1"
  else
    chmod -- 0644 "$1"
  fi
  set_attributes "$1"
  validate "$1" || fail "the new content did not pass its validation; $2 is as it was"
  backup "$2"
  sync -- "$1" 2>/dev/null || sync
  mv -f -- "$1" "$2"
}
if [ -e "$dest" ] && { [ "$force" = False ] || [ "$(sha256sum <"$dest" | cut -c 1-64)" = "$sum" ]; }; then
  set_attributes "$dest"
  exit
fi
[ -d "${dest%/*}/" ] || fail "its folder does not exist: $dest"
tmp=$(mktemp -- "$dest.coreops.XXXXXX")
trap 'rm -rf -- "$tmp"' EXIT
trap 'exit 129' HUP INT TERM
# shellcheck disable=SC2154 # the loader sets blob1
cat "$blob1" >"$tmp"
place "$tmp" "$dest"
)
