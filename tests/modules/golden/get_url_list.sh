# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env ['coreops_curl', 'coreops_curl_list', 'coreops_url', 'coreops_url_list'] reconnect None
probe_t() (
set -u
dest=/f
name=f
sum=''
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
attributes_hold() { :; }
if [ -d "$dest" ] || [ "${dest%/}" != "$dest" ]; then
  [ -n "$name" ] || fail "$dest is a folder and the URL ends without a name"
  dest=${dest%/}/$name
fi
[ ! -L "$dest" ] || dest=$(readlink -f -- "$dest") || fail "$dest is a broken symbolic link"
wanted_sum() { :; }
has_sum() {
  found=$(sha1sum <"$1") || exit 2
  found=${found%% *}
  [ "$found" = "$sum" ]
}
wanted_sum() {
  [ -z "$sum" ] || return 0
  list=$(fetch "$coreops_curl_list" "$coreops_url_list" -) || fail "cannot download the list of checksums"
  sum=$(printf '%s\n' "$list" | name=$name awk '
    { file = $2; sub(/^\*/, "", file); sub(/^.*\//, "", file) }
    NF > 1 && (file "") == (ENVIRON["name"] "") { print tolower($1); found = 1; exit }
    NF == 1 && !first { first = $1 }
    END { if (!found && first != "") print tolower(first) }')
  [ -n "$sum" ] || fail "the list of checksums does not name $name"
}
fetch() {
  if command -v curl >/dev/null 2>&1; then
    printf '%s' "$1" | curl -q -K - -o "$3"
  elif command -v wget >/dev/null 2>&1; then
    fail "this node has no curl, and wget would show headers and passwords to everybody; install curl"
    # shellcheck disable=SC2317
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
dest=/f
name=f
sum=''
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
if [ -d "$dest" ] || [ "${dest%/}" != "$dest" ]; then
  [ -n "$name" ] || fail "$dest is a folder and the URL ends without a name"
  dest=${dest%/}/$name
fi
[ ! -L "$dest" ] || dest=$(readlink -f -- "$dest") || fail "$dest is a broken symbolic link"
wanted_sum() { :; }
has_sum() {
  found=$(sha1sum <"$1") || exit 2
  found=${found%% *}
  [ "$found" = "$sum" ]
}
wanted_sum() {
  [ -z "$sum" ] || return 0
  list=$(fetch "$coreops_curl_list" "$coreops_url_list" -) || fail "cannot download the list of checksums"
  sum=$(printf '%s\n' "$list" | name=$name awk '
    { file = $2; sub(/^\*/, "", file); sub(/^.*\//, "", file) }
    NF > 1 && (file "") == (ENVIRON["name"] "") { print tolower($1); found = 1; exit }
    NF == 1 && !first { first = $1 }
    END { if (!found && first != "") print tolower(first) }')
  [ -n "$sum" ] || fail "the list of checksums does not name $name"
}
fetch() {
  if command -v curl >/dev/null 2>&1; then
    printf '%s' "$1" | curl -q -K - -o "$3"
  elif command -v wget >/dev/null 2>&1; then
    fail "this node has no curl, and wget would show headers and passwords to everybody; install curl"
    # shellcheck disable=SC2317
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
