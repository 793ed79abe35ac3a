# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t() (
set -u
name=core
entry() {
  if command -v getent >/dev/null 2>&1; then
    getent -- "$1" "$2" || :
  else
    wanted=$2 awk -F : '($1 "") == (ENVIRON["wanted"] "")' "/etc/$1"
  fi
}
[ -z "$(entry passwd "$name")" ]
)
act_t() (
set -eu
name=core
userdel --remove -- "$name" || [ $? -eq 12 ]
)
