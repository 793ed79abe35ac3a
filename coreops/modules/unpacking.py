"""The sh of unarchive: unpack beside the place it goes to, look whether all is there, move it over."""

FIND_FORMAT = """\
archive_exists() { [ -f "$archive" ] || fail "$archive does not exist on the node"; }
archive_exists
case $(od -An -tx1 -N4 "$archive" | tr -d ' \\n') in
  1f8b*) format=gzip ;;
  fd377a58) format=xz ;;
  425a68*) format=bzip2 ;;
  28b52ffd) format=zstd ;;
  504b*) format=zip ;;
  *) format=tar ;;
esac
"""

# One stat for all files. A wanted line is size:time; "*" is anything that exists.
PROBE_LISTED = """\
is=$(stat -c '%s@time@' -- @names@ 2>/dev/null) || exit 1
wanted=@wanted@
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
"""

# GNU tar compares size, time and content itself; what owner and mode the files have is not the archive's business.
PROBE_REMOTE = """\
[ -d "$dest" ] || exit 1
decompress() {
  case $format in
    tar) cat -- "$archive" ;;
    *) "$format" -dc <"$archive" ;;
  esac
}
if [ "$format" = zip ]; then
  unzip -l "$archive" >/dev/null || exit 2
  list=$(unzip -Z1 "$archive" 2>/dev/null || unzip -l "$archive" |
    awk 'NF > 3 && $1 ~ /^[0-9]+$/ { sub(/^ *[0-9]+ +[^ ]+ +[^ ]+ +/, ""); print }')
  cd -- "$dest" || exit 2
  while IFS= read -r one; do
    [ -e "$one" ] || [ -L "$one" ] || exit 1
  done <<END
$list
END
elif tar --version 2>/dev/null | grep -q GNU; then
  said=$(decompress | LC_ALL=C tar -d -f - -C "$dest" %s 2>&1) && exit 0
  if printf '%%s\\n' "$said" | grep -q -v -E ': (Uid|Gid|Mode) differs$'; then exit 1; fi
else
  list=$(decompress | tar -t -f -) || exit 2
  cd -- "$dest" || exit 2
  while IFS= read -r one; do
    [ -e "$one" ] || [ -L "$one" ] || exit 1
  done <<END
$list
END
fi
"""

UNPACK = """\
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
    tar) tar -x -f - -C "$tmp" @tar@ @members@ <"$archive" ;;
    zip)
      command -v unzip >/dev/null 2>&1 || fail "this node has no unzip; use a tar archive"
      unzip -q @zip@ "$archive" @members@ -d "$tmp" >&2
      ;;
    *)
      command -v "$format" >/dev/null 2>&1 || fail "this node has no $format to decompress the archive with"
      # A pipe hides the first one's status: a file tells that it ended well.
      { "$format" -dc <"$archive" && : >"$tmp.done"; } | tar -x -f - -C "$tmp" @tar@ @members@ || return 1
      rm -- "$tmp.done"
      ;;
  esac
}
unpack || fail "unpacking failed; $dest is as it was"
"""

# Files move one by one, each in one rename; a program that runs is replaced, not overwritten. By then all are on the
# disk: a power cut behind the rename would else leave empty files, which a shell runs without a word.
MOVE = """\
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
  [ ! -d "$dest/$f" ] || { printf "%s is a directory\\n" "$dest/$f" >&2; exit 1; }
  mv -f -- "$f" "$dest/$f" || exit 1
done' sh {} +
cd /
"""
