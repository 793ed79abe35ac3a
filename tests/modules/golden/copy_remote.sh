# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
src=/a
into=True
dest=/b
force=True
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() { :; }
same() {
  if [ -L "$1" ] && [ "$1" != "$src" ]; then
    [ -L "$2" ] && [ "$(readlink -- "$1")" = "$(readlink -- "$2")" ]
    return
  fi
  [ -e "$2" ] || return 1
  [ ! -d "$2" ] || fail "$2 is a directory"
  [ "$force" = False ] || cmp -s -- "$1" "$2" || return 1
  [ "$(stat -L -c %a -- "$1")" = "$(stat -L -c %a -- "$2")" ] || return 1
  attributes_hold "$2"
}
[ -e "$src" ] || fail "$src does not exist on the node"
if [ -d "$src" ]; then
  [ "$into" = True ] || dest=${dest%/}/${src##*/}
  dest=${dest%/}
elif [ -d "$dest" ] || [ "${dest%/}" != "$dest" ]; then
  dest=${dest%/}/${src##*/}
fi
folder() { [ -d "$1" ] || exit 1; }
each() { same "$1" "$2" || exit 1; }
walk() {
  for one in "$src/$1"* "$src/$1".[!.]* "$src/$1"..?*; do
    [ -e "$one" ] || [ -L "$one" ] || continue
    name=${one#"$src/"}
    if [ -d "$one" ] && [ ! -L "$one" ]; then
      folder "$dest/$name"
      walk "$name/"
    else
      each "$one" "$dest/$name"
    fi
  done
}
if [ -d "$src" ]; then
  folder "$dest"
  walk ''
else
  each "$src" "$dest"
fi
)
act_t() (
set -eu
src=/a
into=True
dest=/b
force=True
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
set_attributes() { :; }
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
attributes_hold() { :; }
same() {
  if [ -L "$1" ] && [ "$1" != "$src" ]; then
    [ -L "$2" ] && [ "$(readlink -- "$1")" = "$(readlink -- "$2")" ]
    return
  fi
  [ -e "$2" ] || return 1
  [ ! -d "$2" ] || fail "$2 is a directory"
  [ "$force" = False ] || cmp -s -- "$1" "$2" || return 1
  [ "$(stat -L -c %a -- "$1")" = "$(stat -L -c %a -- "$2")" ] || return 1
  attributes_hold "$2"
}
[ -e "$src" ] || fail "$src does not exist on the node"
if [ -d "$src" ]; then
  [ "$into" = True ] || dest=${dest%/}/${src##*/}
  dest=${dest%/}
elif [ -d "$dest" ] || [ "${dest%/}" != "$dest" ]; then
  dest=${dest%/}/${src##*/}
fi
tmp=''
trap '[ -z "$tmp" ] || rm -f -- "$tmp"' EXIT
trap 'exit 129' HUP INT TERM
folder() { [ -d "$1" ] || mkdir -p -- "$1"; }
each() {
  if same "$1" "$2"; then return; fi
  folder "${2%/*}/"
  if [ -L "$1" ] && [ "$1" != "$src" ]; then
    ln -sfn -- "$(readlink -- "$1")" "$2"
    return
  fi
  if [ ! -e "$2" ] || { [ "$force" = True ] && ! cmp -s -- "$1" "$2"; }; then
    tmp=$(mktemp -- "$2.coreops.XXXXXX")
    cat -- "$1" >"$tmp"
    place "$tmp" "$2"
  fi
  set_attributes "$2"
  chmod -- "0$(stat -L -c %a -- "$1")" "$2"
}
walk() {
  for one in "$src/$1"* "$src/$1".[!.]* "$src/$1"..?*; do
    [ -e "$one" ] || [ -L "$one" ] || continue
    name=${one#"$src/"}
    if [ -d "$one" ] && [ ! -L "$one" ]; then
      folder "$dest/$name"
      walk "$name/"
    else
      each "$one" "$dest/$name"
    fi
  done
}
if [ -d "$src" ]; then
  folder "$dest"
  walk ''
else
  each "$src" "$dest"
fi
)
