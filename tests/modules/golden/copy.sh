# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 1} env [] reconnect None
probe_t() (
set -u
dest='/etc/a b'
sum=ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
force=True
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
new_mode() {
  m=$(stat -L -c %a -- "$1") || exit 2
  if [ -d "$1" ]; then
    clear=01777 bits=0644
  elif [ "$((0$m & 0111))" != 0 ]; then
    clear=07777 bits=0644
  else
    clear=07777 bits=0644
  fi
  printf '%05o\n' "$(((0$m & ~clear) | bits))"
}
attributes_hold() {
  wanted=$(new_mode "$1") || exit 2
  is=$(stat -c '%a %u %U %g %G' -- "$1") || exit 2
  # shellcheck disable=SC2086 # five words
  set -- $is
  [ "$((0$1))" = "$((0$wanted))" ] && { [ "$2" = root ] || [ "$3" = root ]; } && { [ "$4" = 0 ] || [ "$5" = 0 ]; }
}
[ ! -d "$dest" ] || fail "$dest is a directory; end dest with / to put the file into it"
[ -e "$dest" ] || exit 1
[ "$force" = False ] || [ "$(sha256sum <"$dest" | cut -c 1-64)" = "$sum" ] || exit 1
attributes_hold "$dest"
)
act_t() (
set -eu
dest='/etc/a b'
sum=ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb
force=True
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
new_mode() {
  m=$(stat -L -c %a -- "$1") || exit 2
  if [ -d "$1" ]; then
    clear=01777 bits=0644
  elif [ "$((0$m & 0111))" != 0 ]; then
    clear=07777 bits=0644
  else
    clear=07777 bits=0644
  fi
  printf '%05o\n' "$(((0$m & ~clear) | bits))"
}
set_attributes() {
  chown -- root:0 "$1"
  chmod -- "$(case $(stat -L -c %A -- "$1") in d*) echo u-x,g-wx,o-wxt,u+rw,g+r,o+r ;; ?*[xst]*) echo u-xs,g-wxs,o-wxt,u+rw,g+r,o+r ;; *) echo u-xs,g-wxs,o-wxt,u+rw,g+r,o+r ;; esac)" "$1"
}
validate() { :; }
backup() { :; }
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
