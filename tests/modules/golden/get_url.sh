# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env ['coreops_curl', 'coreops_url'] reconnect None
probe_t() (
set -u
dest=/opt/
name=f.tgz
sum=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() {
  is=$(stat -L -c '%a %u %U %g %G' -- "$1") || exit 2
  # shellcheck disable=SC2086 # five words
  set -- $is
  [ "$1" = 644 ]
}
if [ -d "$dest" ] || [ "${dest%/}" != "$dest" ]; then
  [ -n "$name" ] || fail "$dest is a folder and the URL ends without a name"
  dest=${dest%/}/$name
fi
[ ! -L "$dest" ] || dest=$(readlink -f -- "$dest") || fail "$dest is a broken symbolic link"
wanted_sum() { :; }
has_sum() {
  found=$(sha256sum <"$1") || exit 2
  found=${found%% *}
  [ "$found" = "$sum" ]
}
fetch() {
  if command -v curl >/dev/null 2>&1; then
    printf '%s' "$1" | curl -q -K - -o "$3"
  elif command -v wget >/dev/null 2>&1; then
    case $(wget --help 2>&1) in
      *BusyBox*) wget -q -O "$3" -- "$2" ;; # its -T crashes where it was built with threads
      *) wget -q -T 10 -O "$3" -- "$2" ;;
    esac
  else
    fail "this node has neither curl nor wget; copy the file from the controller"
  fi
}
[ -e "$dest" ] && wanted_sum && has_sum "$dest" || exit 1
attributes_hold "$dest"
)
act_t() (
set -eu
dest=/opt/
name=f.tgz
sum=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
set_attributes() {
  chmod -- 00644 "$1"
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
attributes_hold() {
  is=$(stat -L -c '%a %u %U %g %G' -- "$1") || exit 2
  # shellcheck disable=SC2086 # five words
  set -- $is
  [ "$1" = 644 ]
}
if [ -d "$dest" ] || [ "${dest%/}" != "$dest" ]; then
  [ -n "$name" ] || fail "$dest is a folder and the URL ends without a name"
  dest=${dest%/}/$name
fi
[ ! -L "$dest" ] || dest=$(readlink -f -- "$dest") || fail "$dest is a broken symbolic link"
wanted_sum() { :; }
has_sum() {
  found=$(sha256sum <"$1") || exit 2
  found=${found%% *}
  [ "$found" = "$sum" ]
}
fetch() {
  if command -v curl >/dev/null 2>&1; then
    printf '%s' "$1" | curl -q -K - -o "$3"
  elif command -v wget >/dev/null 2>&1; then
    case $(wget --help 2>&1) in
      *BusyBox*) wget -q -O "$3" -- "$2" ;; # its -T crashes where it was built with threads
      *) wget -q -T 10 -O "$3" -- "$2" ;;
    esac
  else
    fail "this node has neither curl nor wget; copy the file from the controller"
  fi
}
if [ -e "$dest" ] && wanted_sum && has_sum "$dest"; then
  set_attributes "$dest"
  exit
fi
[ -d "${dest%/*}/" ] || fail "its folder does not exist: $dest"
tmp=$(mktemp -- "$dest.coreops.XXXXXX")
trap 'rm -rf -- "$tmp"' EXIT
trap 'exit 129' HUP INT TERM
fetch "$coreops_curl" "$coreops_url" "$tmp" || fail "the download failed; $dest is as it was"
wanted_sum
has_sum "$tmp" || fail "the download does not have the checksum of the task (wanted $sum, found $found); $dest is as it was"
if [ -e "$dest" ] && cmp -s -- "$tmp" "$dest" && attributes_hold "$dest"; then
  echo same
  exit
fi
place "$tmp" "$dest"
)
