# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 1} env [] reconnect None
probe_t() (
set -u
dest='/opt/x y'
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
format=gzip
[ -d "$dest" ] || exit 1
cd -- "$dest" || exit 2
is=$(stat -c '%s:%Y' -- './a b' \
  './it'\''s' \
  ./sub/c 2>/dev/null) || exit 1
wanted='1:1600000000
1:1600000000
1:1600000000'
[ "$is" = "$wanted" ] || {
  case $wanted in
    *'*'*) ;;
    *) exit 1 ;;
  esac
  exec 3<<END
$wanted
END
  while IFS= read -r one; do
    IFS= read -r other <&3 || exit 1
    # shellcheck disable=SC2254 # a pattern
    case $one in $other) ;; *) exit 1 ;; esac
  done <<END
$is
END
}
[ -z "$(find './a b' './it'\''s' ./sub \( ! -user root -o ! -group 0 -o -type d \( ! -perm -0644 -o -perm -0001 -o -perm -0002 -o -perm -0010 -o -perm -0020 -o -perm -0100 -o -perm -1000 \) -o ! -type d ! -type l ! -perm -100 ! -perm -010 ! -perm -001 ! -perm 0644 -o ! -type d ! -type l \( -perm -100 -o -perm -010 -o -perm -001 \) ! -perm 0644 \) -print | head -n 1)" ]
)
act_t() (
set -eu
dest='/opt/x y'
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
format=gzip
archive=$blob1
newer=''
# In dest when it is there, so that moving stays within one file system; beside it when not.
if [ -d "$dest" ]; then
  tmp=$(mktemp -d -- "$dest/.coreops.XXXXXX")
else
  mkdir -p -- "${dest%/*}/"
  tmp=$(mktemp -d -- "$dest.coreops.XXXXXX")
fi
trap 'rm -rf -- "$tmp"' EXIT
trap 'exit 129' HUP INT TERM
chmod 0755 "$tmp"
unpack() {
  case $format in
    tar) tar -x -f - -C "$tmp" --strip-components=1  <"$archive" ;;
    zip)
      command -v unzip >/dev/null 2>&1 || fail "this node has no unzip; use a tar archive"
      unzip -q --strip-components=1 "$archive"  -d "$tmp" >&2
      ;;
    *)
      command -v "$format" >/dev/null 2>&1 || fail "this node has no $format to decompress the archive with"
      # A pipe hides the first one's status: a file tells that it ended well.
      { "$format" -dc <"$archive" && : >"$tmp.done"; } | tar -x -f - -C "$tmp" --strip-components=1  || return 1
      rm -- "$tmp.done"
      ;;
  esac
}
unpack || fail "unpacking failed; $dest is as it was"
find -H "$tmp" -exec chown -h -- root:0 {} +
find -H "$tmp" -type d -exec chmod -- u-x,g-wx,o-wxt,u+rw,g+r,o+r {} +
find -H "$tmp" ! -type d ! -type l ! -perm -100 ! -perm -010 ! -perm -001 -exec chmod -- 00644 {} +
find -H "$tmp" ! -type d ! -type l \( -perm -100 -o -perm -010 -o -perm -001 \) -exec chmod -- 00644 {} +
sync -f -- "$tmp" 2>/dev/null || sync
if [ ! -d "$dest" ]; then
  mv -- "$tmp" "$dest"
  exit
fi
export dest tmp newer
cd -- "$tmp"
find . -type d -exec sh -c 'for d do
  if [ ! -d "$dest/$d" ]; then mkdir -- "$dest/$d" || exit 1; fi
  [ "$d" != . ] || continue
  chmod -- "0$(stat -c %a -- "$d")" "$dest/$d" && chown -- "$(stat -c %u:%g -- "$d")" "$dest/$d" || exit 1
done' sh {} +
find . ! -type d -exec sh -c 'for f do
  [ -z "$newer" ] || [ ! "$dest/$f" -nt "$f" ] || continue
  [ ! -d "$dest/$f" ] || { printf "%s is a directory\n" "$dest/$f" >&2; exit 1; }
  mv -f -- "$f" "$dest/$f" || exit 1
done' sh {} +
cd /
)
