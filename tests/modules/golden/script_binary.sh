# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': True, 'changes': True, 'cwd': '/', 'blobs': 1} env [] reconnect None
act_t() (
program=$(mktemp) || exit 1
trap 'rm -f -- "$program"' EXIT
cat -- "$blob1" >"$program" && chmod 0700 "$program" || exit 1
"$program" 'a b'
)
