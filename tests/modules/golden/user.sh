# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env ['coreops_password'] reconnect None
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
look() {
  is=$(entry passwd "$name")
  [ -n "$is" ] || return 1
  # shellcheck disable=SC2034 # not all are looked at
  IFS=: read -r _ _ uid gid comment home shell <<END
$is
END
}
# shellcheck disable=SC2329 # not all are needed
hash() { entry shadow "$name" | cut -d : -f 2; }
# shellcheck disable=SC2329
groups_of() {
  primary=$(id -gn -- "$name") || exit 2
  for one in $(id -Gn -- "$name"); do
    [ "$one" = "$primary" ] || printf '%s\n' "$one"
  done | sort
}
# shellcheck disable=SC2329
only_groups() { [ "$(groups_of | tr '\n' ' ')" = "${1:+$1 }" ]; }
# shellcheck disable=SC2329
in_groups() {
  have=" $(id -Gn -- "$name") "
  for one in $1; do
    case $have in *" $one "*) ;; *) return 1 ;; esac
  done
}
look || exit 1
[ "$uid" = 500 ] || exit 1
[ "$home" = '/h o' ] || exit 1
in_groups 'a b' || exit 1
[ "$(hash)" = "$coreops_password" ] || exit 1
)
act_t() (
set -eu
name=core
entry() {
  if command -v getent >/dev/null 2>&1; then
    getent -- "$1" "$2" || :
  else
    wanted=$2 awk -F : '($1 "") == (ENVIRON["wanted"] "")' "/etc/$1"
  fi
}
look() {
  is=$(entry passwd "$name")
  [ -n "$is" ] || return 1
  # shellcheck disable=SC2034 # not all are looked at
  IFS=: read -r _ _ uid gid comment home shell <<END
$is
END
}
# shellcheck disable=SC2329 # not all are needed
hash() { entry shadow "$name" | cut -d : -f 2; }
# shellcheck disable=SC2329
groups_of() {
  primary=$(id -gn -- "$name") || exit 2
  for one in $(id -Gn -- "$name"); do
    [ "$one" = "$primary" ] || printf '%s\n' "$one"
  done | sort
}
# shellcheck disable=SC2329
only_groups() { [ "$(groups_of | tr '\n' ' ')" = "${1:+$1 }" ]; }
# shellcheck disable=SC2329
in_groups() {
  have=" $(id -Gn -- "$name") "
  for one in $1; do
    case $have in *" $one "*) ;; *) return 1 ;; esac
  done
}
if ! look; then
  useradd --create-home --uid 500 --home '/h o' --groups a,b -- "$name"
  printf '%s:%s\n' "$name" "$coreops_password" | chpasswd -e
  look
fi
[ "$uid" = 500 ] || usermod --uid 500 -- "$name"
[ "$home" = '/h o' ] || usermod --home '/h o' -- "$name"
in_groups 'a b' || usermod --append --groups a,b -- "$name"
[ "$(hash)" = "$coreops_password" ] || printf '%s:%s\n' "$name" "$coreops_password" | chpasswd -e
)
