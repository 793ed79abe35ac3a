# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
path=/etc/passwd
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
if [ ! -e "$path" ] && [ ! -L "$path" ]; then
  printf '0\n'
  exit 0
fi
is=$(stat -c '%f %u %g %s %i %h %b %B %X %Y %Z %d %U %G' -- "$path") || exit 2
printf '1 %s\n' "$is"
rights=''
[ ! -r "$path" ] || rights=r
[ ! -w "$path" ] || rights=${rights}w
[ ! -x "$path" ] || rights=${rights}x
printf '%s\n' "$rights"
sum=''
case $is in
  8*) [ ! -r "$path" ] || sum=$(sha1sum <"$path") || exit 2 ;;
  a*)
    printf '=\n'
    readlink -- "$path"
    printf '/\n'
    readlink -f -- "$path" || :
    exit 0
    ;;
esac
printf '=%s\n' "${sum%% *}"
)
