# shellcheck shell=sh
# shellcheck disable=SC2154,SC2034 # co_n and co_run come from the loader; files.sh uses some of the variables
# The functions a segment calls. Sent once per connection, before the first segment.
#
# Marks go to stdout, each on a line that starts with RS and the run's nonce, so that no output can imitate them:
#   h PID BOOT         a segment begins            b I PHASE [ID]   raw output of step I follows (p probe, a act, d old content)
#   e I PHASE RC       raw output ends; on stderr: all since the mark before belongs to this phase (f: a file step failed)
#   n I...             send the blobs of these steps, in this order
#   r I STATE RC INFO  the record of step I        z STATUS         the segment ended: done, failed, stopped, fatal
co_nl='
'
co_mark() {
  [ -z "$co_notes" ] || co_tell
  printf '\036%s %s\n' "$co_n" "$*"
}
co_mark2() { printf '\036%s %s\n' "$co_n" "$*" >&2; }

co_start() { # CHECK DIFF
  # What earlier segments of a check would have changed still counts in this one.
  [ "$co_check" = "$1" ] || co_dirty=''
  co_check=$1 co_diff=$2 co_end='' co_batch='' co_lost='' co_hold='' co_notes=''
  trap 'co_stop=1' USR1
  [ -n "$co_uid" ] || while read -r co_a co_b; do
    case $co_a in Uid:) co_uid=${co_b%%[!0-9]*} && break ;; esac
  done </proc/self/status
  co_boot=-
  [ ! -r /proc/sys/kernel/random/boot_id ] || read -r co_boot </proc/sys/kernel/random/boot_id
  co_mark h $$ "$co_boot"
  co_mark2 h
}

co_finish() { co_mark z "${co_end:-done}"; }

# co_go: is there a reason to go on? Asked before every step.
co_go() {
  [ -z "$co_end" ] || return 1
  [ -z "$co_stop" ] || { co_end=stopped && return 1; }
}

# co_record I STATE RC INFO: mark r; with co_hold it waits for the next mark or co_tell. What holds tells before it does
# anything that takes time: a write for every record wakes sshd, the network and the controller for every record.
co_record() {
  if [ -n "$co_hold" ]; then co_notes="$co_notes$*$co_nl"; else co_mark r "$@"; fi
}
co_tell() {
  [ -n "$co_notes" ] || return 0
  set -f
  co_ifs=$IFS
  IFS=$co_nl
  # shellcheck disable=SC2059,SC2086 # the nonce is hexadecimal; one record a line
  printf "\\036$co_n r %s\n" $co_notes
  IFS=$co_ifs
  set +f
  co_notes=''
}

co_ok() { co_record "$1" ok 0 "$2"; }
co_changed() { co_dirty=1 && co_record "$1" changed 0 "$2"; }
co_would() { co_dirty=1 && co_record "$1" would 0 "$2"; }
co_failed() { # I RC IGNORE INFO
  co_record "$1" failed "$2" "$4"
  [ "$3" = i ] || co_end=failed
}

# co_dir: the run's folder on the node (co_d), made when first needed. Only its owner can read it. On disk where possible:
# what was done once must be known after a reboot.
co_dir() {
  for co_d in /var/lib/coreops/runs /run/coreops "${HOME:-/nowhere}/.coreops/runs"; do
    co_d=$co_d/$co_run
    [ ! -d "$co_d" ] || [ ! -w "$co_d" ] || return 0
    if (umask 077 && mkdir -p "$co_d") 2>/dev/null; then return 0; fi
  done
  return 1
}

# co_forget: the run is over; nothing of it needs to be remembered.
co_forget() { rm -rf "/var/lib/coreops/runs/$co_run" "/run/coreops/$co_run" "${HOME:-/nowhere}/.coreops/runs/$co_run"; }

# co_drain BYTES: read and forget, so that the next frame is found.
co_drain() {
  co_take "$1" /dev/null
}

# co_take BYTES FILE: move exactly BYTES bytes from stdin into FILE (truncated first). dd never reads ahead.
co_take() {
  printf '' >"$2" || return # not ":", a special builtin: dash ends when its redirection fails
  if [ "$1" -ge 65536 ]; then
    dd bs=65536 count=$(($1 / 65536)) iflag=fullblock 2>/dev/null >>"$2" || return
  fi
  if [ $(($1 % 65536)) -gt 0 ]; then
    dd bs=$(($1 % 65536)) count=1 iflag=fullblock 2>/dev/null >>"$2" || return
  fi
}

# co_fatal: stdin can no longer be trusted to be at a frame.
co_fatal() {
  co_mark z fatal
  exit 1
}

# co_phase I PHASE TIMEOUT CWD SCRIPT FLAGS: run one script by itself and stream what it says. Flag s: an act that reads
# its blob from the controller's stream, with no copy in between.
# The script travels in the environment, which only its user can read; argv is for all to see. With w in FLAGS it is one
# command of plain words, which its own argv shows anyway: no shell is started for it.
co_phase() {
  co_mark b "$1" "$2"
  # shellcheck disable=SC2016,SC2086 # expanded by the inner shell; plain words by contract
  case $2$6 in
    a*s*) co_s=$5 co_w=$4 timeout -k 5 "$3" sh -c 'co_x=$co_s; cd "$co_w" || exit 2; unset co_s co_w; eval "$co_x"' ;;
    a*w*) ({ cd "$4" || exit 2; } && exec timeout -k 5 "$3" $5) </dev/null ;;
    *) co_s=$5 co_w=$4 timeout -k 5 "$3" sh -c 'co_x=$co_s; cd "$co_w" || exit 2; unset co_s co_w; eval "$co_x"' </dev/null ;;
  esac
  co_rc=$?
  co_mark2 e "$1" "$2"
  co_mark e "$1" "$2" "$co_rc"
}

# co_once I ID TIMEOUT CWD SCRIPT: like co_phase, but remembered in the run's folder, so that it never acts twice. A
# segment sent again finds it finished, still running (and waits), or cut off (then nobody knows how far it came).
co_once() {
  co_rc=2
  co_mark b "$1" a
  if co_dir; then
    co_f=$co_d/$2
    if [ -e "$co_f.pid" ]; then
      read -r co_pid co_b <"$co_f.pid"
      while [ ! -s "$co_f.rc" ] && [ "$co_b" = "$co_boot" ] && kill -0 "$co_pid" 2>/dev/null; do sleep 0.2; done
    elif printf '%s %s\n' $$ "$co_boot" >"$co_f.pid"; then
      # shellcheck disable=SC2016 # expanded by the inner shell
      co_s=$5 co_w=$4 timeout -k 5 "$3" sh -c 'co_x=$co_s; cd "$co_w" || exit 2; unset co_s co_w; eval "$co_x"' \
        </dev/null >"$co_f.out" 2>"$co_f.err"
      printf '%s\n' "$?" >"$co_f.rc"
    fi
    co_rc=unknown
    if [ -s "$co_f.rc" ]; then
      read -r co_rc <"$co_f.rc"
      cat "$co_f.out"
      cat "$co_f.err" >&2
    fi
  else
    echo "coreops: no folder to remember this step in: is the disk full or read-only?" >&2
  fi
  co_mark2 e "$1" a
  co_mark e "$1" a "$co_rc"
}

# co_shell I ID TIMEOUT FLAGS CWD PROBE ACT [BLOB SIZES]: one ShellStep. `-` stands for no probe, no act.
# FLAGS: c acts in check mode, i ignore errors, k a successful act counts as ok, o once, s act reads a stream,
# w act is plain words.
co_shell() {
  co_go || return 0
  co_i=$1 co_id=$2 co_t=$3 co_flags=$4 co_cwd=$5 co_probe=$6 co_act=$7
  shift 7
  co_ign=-
  case $co_flags in *i*) co_ign=i ;; esac
  if [ "$co_probe" != - ]; then
    co_phase "$co_i" p "$co_t" "$co_cwd" "$co_probe" ''
    case $co_rc in
      0) co_ok "$co_i" && return ;;
      1) [ "$co_act" != - ] || { co_failed "$co_i" 1 "$co_ign" && return; } ;;
      *)
        if [ "$co_check$co_dirty" = 11 ]; then co_would "$co_i"; else co_failed "$co_i" "$co_rc" "$co_ign"; fi
        return
        ;;
    esac
  fi
  case $co_check$co_flags in
    1*c*) ;;
    1*)
      if [ "$co_probe" = - ]; then co_dirty=1 && co_mark r "$co_i" skipped 0; else co_would "$co_i"; fi
      return
      ;;
  esac
  co_env=''
  if [ $# -gt 0 ]; then
    co_blobs "$@" || return 0
  fi
  case $co_flags in
    *s*) co_mark n "$co_i" ;;
  esac
  case $co_flags in
    *o*) co_once "$co_i" "$co_id" "$co_t" "$co_cwd" "$co_env$co_act" ;;
    *) co_phase "$co_i" a "$co_t" "$co_cwd" "$co_env$co_act" "$co_flags" ;;
  esac
  [ $# -eq 0 ] || rm -f "$co_bd".*
  case $co_rc$co_flags in
    0*s*) ;;
    *s*) co_failed "$co_i" "$co_rc" "$co_ign" && co_fatal ;; # nobody knows how much of the stream was read
  esac
  case $co_rc$co_flags in
    0*k*) co_ok "$co_i" ;;
    0*) co_changed "$co_i" ;;
    unknown*) co_mark r "$co_i" unknown 1 && co_end=failed ;;
    *) co_failed "$co_i" "$co_rc" "$co_ign" ;;
  esac
}

# co_blobs SIZE...: fetch the blobs of step co_i; co_env then tells the act where they are.
co_blobs() {
  co_bd=/var/lib/coreops/tmp
  if ! (umask 077 && mkdir -p "$co_bd") 2>/dev/null || [ ! -w "$co_bd" ]; then
    co_dir || { co_failed "$co_i" 1 "$co_ign" "no folder to receive content in: is the disk full or read-only?" && return 1; }
    co_bd=$co_d
  fi
  co_bd=$co_bd/$co_run.$$.$co_i
  co_mark n "$co_i"
  co_k=0
  for co_size; do
    co_k=$((co_k + 1))
    umask 077
    co_take "$co_size" "$co_bd.$co_k" 2>/dev/null || co_lost=1
    umask 022
    if [ -n "$co_lost" ]; then
      rm -f "$co_bd".*
      co_failed "$co_i" 1 "$co_ign" "cannot write $co_size bytes to ${co_bd%/*}: is the disk full?"
      co_fatal
    fi
    co_env="${co_env}blob$co_k=$co_bd.$co_k$co_nl"
  done
}
