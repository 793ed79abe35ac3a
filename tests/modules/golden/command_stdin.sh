# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 1} env [] reconnect None
probe_t() (
there() { for one do [ ! -e "$one" ] && [ ! -L "$one" ] || return 0; done; return 1; }
there /a || { printf '%s\n' 'skipped, since /a does not exist'; exit 0; }
exit 1
)
act_t() (
exec cat - <"$blob1"
)
