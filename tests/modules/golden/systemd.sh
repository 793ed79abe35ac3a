# shellcheck shell=sh
# shellcheck disable=SC2329,SC2154 # the parts of one step; the loader sets $blobN
# t.0: {'once': False, 'changes': False, 'cwd': '/', 'blobs': 0} env [] reconnect None
act_t_0() (
exec systemctl daemon-reload
)
# t.1: {'once': False, 'changes': True, 'cwd': '/', 'blobs': 0} env [] reconnect None
probe_t_1() (
set -u
unit=etcd
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
is=$(systemctl show -p LoadState,ActiveState,SubState,UnitFileState,FragmentPath -- "$unit") || exit 2
printf '%s\n' "$is"
# shellcheck disable=SC2034 # not all are looked at
while IFS='=' read -r key value; do
  case $key in
    LoadState) load=$value ;;
    ActiveState) active=$value ;;
    UnitFileState) file=$value ;;
  esac
done <<END
$is
END
case $load in
  not-found) fail "there is no unit $unit on this node; install its unit file first (and daemon_reload)" ;;
  bad-setting | error) fail "the unit file of $unit is wrong ($load); see: systemctl status $unit" ;;
esac
case $file in enabled | enabled-runtime | static | indirect | generated | transient | alias) ;; *) false ;; esac || exit 1
case $active in active | activating | reloading) ;; *) false ;; esac || exit 1
)
act_t_1() (
set -eu
unit=etcd
fail() {
  printf '%s\n' "$1" >&2
  exit 2
}
explain() {
  {
    systemctl status --no-pager --lines 10 -- "$unit" || :
  } >&2
  exit 2
}
is=$(systemctl show -p LoadState,ActiveState,SubState,UnitFileState,FragmentPath -- "$unit") || exit 2
printf '%s\n' "$is"
# shellcheck disable=SC2034 # not all are looked at
while IFS='=' read -r key value; do
  case $key in
    LoadState) load=$value ;;
    ActiveState) active=$value ;;
    UnitFileState) file=$value ;;
  esac
done <<END
$is
END
case $file in enabled | enabled-runtime | static | indirect | generated | transient | alias) ;; *) false ;; esac || { systemctl enable -- "$unit"; }
is=$(systemctl show -p LoadState,ActiveState,SubState,UnitFileState,FragmentPath -- "$unit") || exit 2
printf '%s\n' "$is"
# shellcheck disable=SC2034 # not all are looked at
while IFS='=' read -r key value; do
  case $key in
    LoadState) load=$value ;;
    ActiveState) active=$value ;;
    UnitFileState) file=$value ;;
  esac
done <<END
$is
END
case $active in active | activating | reloading) ;; *) false ;; esac || { systemctl start --no-block -- "$unit" || explain; }
)
