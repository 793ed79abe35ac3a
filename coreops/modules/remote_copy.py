"""copy with remote_src: from one path of the node to another, compared there, replaced file by file in one rename."""

from __future__ import annotations

from coreops.modules import sh
from coreops.modules.placing import Placing


def remote_scripts(args: Placing, src: str, dest: str, *, preserve: bool, force: bool) -> tuple[str, str]:
    """(probe, act). Symbolic links in a folder stay links; a link given as ``src`` is followed."""
    values = {"src": src.rstrip("/") or "/", "into": str(src.endswith("/")), "dest": dest, "force": str(force)}
    same_mode = _SAME_MODE if preserve else ""
    shared = args.holds() + _SHARED % same_mode
    probe = sh.probe(sh.FAIL, shared, _PROBE, _WALK, **values)
    act = sh.act(args.writing(), shared, _ACT % (_SET_MODE if preserve else ""), _WALK, **values)
    return probe, act


# same FROM TO: nothing to do? Then: where does it go?
_SHARED = """\
same() {
  if [ -L "$1" ] && [ "$1" != "$src" ]; then
    [ -L "$2" ] && [ "$(readlink -- "$1")" = "$(readlink -- "$2")" ]
    return
  fi
  [ -e "$2" ] || return 1
  [ ! -d "$2" ] || fail "$2 is a directory"
  [ "$force" = False ] || cmp -s -- "$1" "$2" || return 1
%s  attributes_hold "$2"
}
[ -e "$src" ] || fail "$src does not exist on the node"
if [ -d "$src" ]; then
  [ "$into" = True ] || dest=${dest%%/}/${src##*/}
  dest=${dest%%/}
elif [ -d "$dest" ] || [ "${dest%%/}" != "$dest" ]; then
  dest=${dest%%/}/${src##*/}
fi
"""
_SAME_MODE = """\
  [ "$(stat -L -c %a -- "$1")" = "$(stat -L -c %a -- "$2")" ] || return 1
"""
_SET_MODE = """\
  chmod -- "0$(stat -L -c %a -- "$1")" "$2"
"""
_PROBE = """\
folder() { [ -d "$1" ] || exit 1; }
each() { same "$1" "$2" || exit 1; }
"""
_ACT = """\
tmp=''
trap '[ -z "$tmp" ] || rm -f -- "$tmp"' EXIT
trap 'exit 129' HUP INT TERM
folder() { [ -d "$1" ] || mkdir -p -- "$1"; }
each() {
  if same "$1" "$2"; then return; fi
  folder "${2%%/*}/"
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
%s}
"""
# walk FOLDER/: hand everything in the folder to folder and each.
_WALK = """\
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
"""
