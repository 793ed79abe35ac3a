# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
dest=/a
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
[ -d "$dest" ] || { [ ! -e "$dest" ] || fail "$dest exists and is not a directory"; exit 1; }
find -H "$dest" -prune \( ! -group core -o -type d \( ! -perm -0700 -o -perm -0001 -o -perm -0002 -o -perm -0004 -o -perm -0010 -o -perm -0020 -o -perm -0040 -o -perm -1000 \) -o ! -type d ! -type l ! -perm -100 ! -perm -010 ! -perm -001 ! -perm 0600 -o ! -type d ! -type l \( -perm -100 -o -perm -010 -o -perm -001 \) ! -perm 0700 \) >/dev/null || exit 2
[ -z "$(find -H "$dest" \( ! -group core -o -type d \( ! -perm -0700 -o -perm -0001 -o -perm -0002 -o -perm -0004 -o -perm -0010 -o -perm -0020 -o -perm -0040 -o -perm -1000 \) -o ! -type d ! -type l ! -perm -100 ! -perm -010 ! -perm -001 ! -perm 0600 -o ! -type d ! -type l \( -perm -100 -o -perm -010 -o -perm -001 \) ! -perm 0700 \) -print | head -n 1)" ]
)
act_t() (
set -eu
dest=/a
mkdir -p -- "$dest"
find -H "$dest" -exec chown -h -- :core {} +
find -H "$dest" -type d -exec chmod -- g-rwx,o-rwxt,u+rwx {} +
find -H "$dest" ! -type d ! -type l ! -perm -100 ! -perm -010 ! -perm -001 -exec chmod -- 00600 {} +
find -H "$dest" ! -type d ! -type l \( -perm -100 -o -perm -010 -o -perm -001 \) -exec chmod -- 00700 {} +
)
