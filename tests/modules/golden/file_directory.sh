# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
dest=/etc/d
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
  is=$(stat -L -c '%a %u %U %g %G' -- "$1") || exit 2
  # shellcheck disable=SC2086 # five words
  set -- $is
  [ "$((0$1))" = "$((0$wanted))" ] && { [ "$2" = root ] || [ "$3" = root ]; } && { [ "$4" = 0 ] || [ "$5" = 0 ]; }
}
set_attributes() {
  chown -- root:0 "$1"
  chmod -- "$(case $(stat -L -c %A -- "$1") in d*) echo u-x,g-wx,o-wxt,u+rw,g+r,o+r ;; ?*[xst]*) echo u-xs,g-wxs,o-wxt,u+rw,g+r,o+r ;; *) echo u-xs,g-wxs,o-wxt,u+rw,g+r,o+r ;; esac)" "$1"
}
[ -d "$dest" ] || { [ ! -e "$dest" ] || fail "$dest exists and is not a directory"; exit 1; }
attributes_hold "$dest"
)
act_t() (
set -eu
dest=/etc/d
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
  is=$(stat -L -c '%a %u %U %g %G' -- "$1") || exit 2
  # shellcheck disable=SC2086 # five words
  set -- $is
  [ "$((0$1))" = "$((0$wanted))" ] && { [ "$2" = root ] || [ "$3" = root ]; } && { [ "$4" = 0 ] || [ "$5" = 0 ]; }
}
set_attributes() {
  chown -- root:0 "$1"
  chmod -- "$(case $(stat -L -c %A -- "$1") in d*) echo u-x,g-wx,o-wxt,u+rw,g+r,o+r ;; ?*[xst]*) echo u-xs,g-wxs,o-wxt,u+rw,g+r,o+r ;; *) echo u-xs,g-wxs,o-wxt,u+rw,g+r,o+r ;; esac)" "$1"
}
[ -d "$dest" ] || mkdir -p -- "$dest"
set_attributes "$dest"
)
