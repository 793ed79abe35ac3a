# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': True, 'changes': True, 'cwd': '/', 'blobs': 1} env [] reconnect None
act_t() (
exec /bin/sh -e "$blob1" 'a b'
)
