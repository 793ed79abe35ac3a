# shellcheck shell=sh
# shellcheck disable=SC2154,SC2034 # variables come from prelude.sh and from eval; contents.sh uses some
# The functions for FileSteps. Sent after prelude.sh, with contents.sh, before the first segment that has any.
#
# A batch of steps is noted by co_f and worked through by co_files: survey, decide, receive, verify, commit, report. Step
# I's variables end in _I: p path, k kind, w wanted co_stat line (a pattern), x wanted hash, z size, m mode, u umask,
# o owner, g group, f flags, l link target; s found co_stat line, h found hash, c content is missing, y content that came
# as text, d decision, t temporary file, r its hall (see co_room_of), v what to remove in the end, e reason it failed.
# co_f I PATH KIND WANT HASH SIZE MODE UMASK OWNER GROUP FLAGS TARGET: note one FileStep for the next co_files.
# WANT is a pattern for co_stat's line. FLAGS: i ignore errors, l follow links, n keep existing content, s secret.
co_f() {
  eval "p_$1=\$2 k_$1=\$3 w_$1=\$4 x_$1=\$5 z_$1=\$6 m_$1=\$7 u_$1=\$8 o_$1=\$9 y_$1= t_$1= r_$1="
  co_a=$1
  shift 9
  eval "g_$co_a=\$1 f_$co_a=\$2 l_$co_a=\$3"
  co_batch="$co_batch $co_a"
}

# co_stat and co_sum are for $(...): they end the shell they run in.
co_stat() { exec stat -c '%f:a%a:s%s:u%u:U%U:g%g:G%G' -- "$@" 2>/dev/null; }

# co_survey: what is at the paths of this batch? One stat for all, one sha256sum for all whose size already matches.
# Sets s_I (co_stat's line, - when absent) and h_I (hash found, - when not needed).
co_survey() {
  set --
  co_seen=''
  for co_i in $co_batch; do
    eval "co_p=\$p_$co_i co_fl=\$f_$co_i s_$co_i=- h_$co_i=-"
    if [ -L "$co_p" ]; then
      case $co_fl in *l*) co_p=$(readlink -f -- "$co_p") && eval "p_$co_i=\$co_p" ;; esac
    fi
    if [ -e "$co_p" ] || [ -L "$co_p" ]; then
      set -- "$@" "$co_p"
      co_seen="$co_seen $co_i"
    fi
  done
  [ $# -gt 0 ] || return 0
  co_lines "$(co_stat "$@")" s co_stat
  set --
  co_seen2=$co_seen
  co_seen=''
  for co_i in $co_seen2; do
    eval "co_p=\$p_$co_i co_s=\$s_$co_i co_h=\$x_$co_i co_z=\$z_$co_i"
    case $co_h:$co_s in
      -:*) continue ;;
      *:8*":s$co_z:"*) [ -r "$co_p" ] || continue ;;
      *) continue ;;
    esac
    set -- "$@" "$co_p"
    co_seen="$co_seen $co_i"
  done
  [ $# -gt 0 ] || return 0
  co_lines "$(sha256sum -- "$@" 2>/dev/null)" h co_sum
}
co_sum() { exec sha256sum <"$1" 2>/dev/null; }

# co_lines OUTPUT VAR FUNCTION: give line N of OUTPUT to VAR_I of the Nth step in co_seen. When the lines do not match the
# steps (a path vanished meanwhile, a name with a newline in busybox) ask for each by itself.
co_lines() {
  co_var=$2 co_fn=$3
  set -f
  co_ifs=$IFS
  IFS=$co_nl
  # shellcheck disable=SC2086 # one word a line
  set -- $1
  IFS=$co_ifs
  co_c=0
  for co_i in $co_seen; do co_c=$((co_c + 1)); done
  if [ $# -eq $co_c ]; then
    for co_i in $co_seen; do
      co_a=${1#\\}
      eval "${co_var}_$co_i=\${co_a%% *}"
      shift
    done
  else
    for co_i in $co_seen; do
      eval "co_p=\$p_$co_i"
      co_a=$("$co_fn" "$co_p")
      eval "${co_var}_$co_i=\${co_a%% *}"
      eval "[ -n \"\$${co_var}_$co_i\" ] || ${co_var}_$co_i=-"
    done
  fi
  set +f
}

# co_same: does the state of step co_i hold? Sets co_p co_k co_s co_w co_x co_h co_fl, and co_c=1 when content is missing.
co_same() {
  eval "co_p=\$p_$co_i co_k=\$k_$co_i co_s=\$s_$co_i co_w=\$w_$co_i co_x=\$x_$co_i co_h=\$h_$co_i co_fl=\$f_$co_i"
  co_c=''
  case $co_k in
    absent) [ "$co_s" = - ] && return ;;
    link)
      [ -L "$co_p" ] || return 1
      eval "co_a=\$l_$co_i"
      [ "$(readlink -- "$co_p")" = "$co_a" ] && return
      ;;
    *)
      if [ "$co_x" != - ] && [ "$co_x" != "$co_h" ]; then
        case $co_fl:$co_s in *n*:8*) ;; *) co_c=1 && return 1 ;; esac
      fi
      # shellcheck disable=SC2254 # it is a pattern
      case $co_s in $co_w) return 0 ;; esac
      ;;
  esac
  return 1
}

# co_why: set co_e to the reason why step co_i cannot be done on this node, or to nothing.
co_why() {
  co_e='' co_hard=''
  case $co_p in
    /usr/*) [ -w /usr ] || { co_hard=1 && co_e="$co_p: /usr is read-only on this node; use /etc or /opt, or ship it in a sysext" && return 1; } ;;
  esac
  case $co_k:${co_s%%:*}:$co_x in
    file:-:-) co_e="$co_p does not exist" ;;
    file:[!-8a]*) co_e="$co_p exists and is not a regular file" ;;
    directory:[!-4]*) co_e="$co_p exists and is not a directory" ;;
    link:4*) co_e="$co_p is a directory; remove it before linking there" ;;
    link:[!-a]*) case $co_fl in *n*) co_e="$co_p exists and is not a link" ;; esac ;;
  esac
  [ -z "$co_e" ] || return 1
}

# co_files: bring the noted FileSteps into their state. Content is asked for only where it is missing, all at once, goes
# to a temporary file in the same folder, is synced and hashed there, and then renamed.
co_files() {
  co_todo='' co_need='' co_temps='' co_rooms='' co_made='' co_fresh='' co_bytes=0
  co_go || { co_batch='' && return 0; }
  co_survey
  for co_i in $co_batch; do
    if co_same; then
      eval "d_$co_i=ok"
    else
      eval "d_$co_i=todo c_$co_i=\$co_c e_$co_i="
      if co_why; then
        co_todo="$co_todo $co_i"
        if [ -n "$co_c" ] && [ -z "$co_check" ]; then
          eval "co_bytes=\$((co_bytes + z_$co_i))"
          co_need="$co_need $co_i"
        fi
      else
        eval "d_$co_i=error e_$co_i=\$co_e"
        # In check mode an earlier step may be what makes this one possible.
        case $co_fl:$co_hard:$co_check$co_dirty$co_todo in
          *::1?*) eval "d_$co_i=todo" ;;
          *i*:*:*) ;;
          *) break ;;
        esac
      fi
    fi
  done
  if [ -z "$co_check" ] && [ -n "$co_todo" ]; then
    [ -z "$co_diff" ] || co_old
    # shellcheck disable=SC2086 # step numbers
    [ -z "$co_need" ] || { co_mark n $co_need && co_texts; }
    co_prepare
    co_verify
  elif [ -n "$co_diff" ]; then
    co_old
  fi
  co_hold=1
  for co_i in $co_batch; do
    [ -z "$co_end" ] || break
    eval "co_p=\$p_$co_i co_k=\$k_$co_i co_s=\$s_$co_i co_st=\$d_$co_i co_fl=\$f_$co_i co_e=\$e_$co_i"
    case $co_st:$co_check in
      ok:*) co_ok "$co_i" "$co_s" ;;
      todo:1) co_would "$co_i" "$co_s" ;;
      todo:*)
        if co_commit; then co_changed "$co_i" "$co_s"; else co_file_failed; fi
        ;;
      made:*) co_changed "$co_i" "$co_s" ;;
      *) co_file_failed ;;
    esac
  done
  co_hold=''
  co_tell
  [ -z "$co_rooms" ] || co_clean
  co_batch=''
  [ -z "$co_lost" ] || co_fatal
}

# co_file_failed: what was said on stderr since the last mark there is the reason, and co_e when it is known.
co_file_failed() {
  co_mark b "$co_i" f
  [ -z "$co_e" ] || printf '%s\n' "$co_e" >&2
  co_mark2 e "$co_i" f
  co_mark e "$co_i" f 1
  case $co_fl in *i*) co_failed "$co_i" 1 i ;; *) co_failed "$co_i" 1 - ;; esac
}

# co_old: in diff mode, show the present content of the files that will change (regular, up to 200 KB, not secret).
co_old() {
  for co_i in $co_todo; do
    eval "co_p=\$p_$co_i co_s=\$s_$co_i co_fl=\$f_$co_i co_x=\$x_$co_i co_k=\$k_$co_i"
    case $co_fl in *s*) continue ;; esac
    case $co_k:$co_s in
      file:8*:s??????*:u*) ;;
      file:8*)
        [ "$co_x" != - ] || continue
        co_mark b "$co_i" d
        cat -- "$co_p" 2>/dev/null
        co_mark2 e "$co_i" d
        co_mark e "$co_i" d 0
        ;;
    esac
  done
}

# co_prepare: make folders and receive content, in order. The first failure ends it; the rest of the content is drained.
co_prepare() {
  for co_i in $co_todo; do
    eval "co_p=\$p_$co_i co_k=\$k_$co_i co_s=\$s_$co_i co_fl=\$f_$co_i co_c=\$c_$co_i co_st=\$d_$co_i"
    case $co_st:$co_k:$co_s:$co_c in
      todo:directory:-:*) if co_mkdir; then co_st=made; else co_st=error; fi ;;
      todo:file:*:1) co_receive || co_st=error ;;
    esac
    eval "d_$co_i=\$co_st"
    [ -z "$co_lost" ] || return
    case $co_st$co_fl in
      error*i*) ;;
      error*) co_take "$co_bytes" /dev/null && return ;;
    esac
  done
}

# co_mkdir: make folder co_i, and by the same mkdir the folders right after it that get the same mode: a process costs
# more than a folder. When one fails, those after it may be there already. Folders above them get 0755.
# shellcheck disable=SC2174
co_mkdir() {
  co_first=$co_i co_row='' co_past=''
  eval "co_m=\$m_$co_i"
  set --
  for co_i in $co_todo; do
    [ "$co_i" != "$co_first" ] || co_past=1
    [ -n "$co_past" ] || continue
    eval "co_a=\$k_$co_i:\$s_$co_i:\$m_$co_i"
    [ "$co_a" = "directory:-:$co_m" ] || break
    eval "set -- \"\$@\" \"\$p_$co_i\""
    co_row="$co_row $co_i"
  done
  if [ "$co_m" = - ]; then mkdir -p -- "$@"; else mkdir -p -m "$co_m" -- "$@"; fi
  for co_i in $co_row; do
    eval "co_p=\$p_$co_i"
    if [ -d "$co_p" ] && co_owner "$co_p"; then
      eval "d_$co_i=made"
      [ -g "$co_p" ] || [ -g "${co_p%/*}/" ] || co_fresh=$co_fresh$co_p$co_nl
    else
      eval "d_$co_i=error"
    fi
  done
  co_i=$co_first
  eval "[ \"\$d_$co_i\" = made ]"
}

# co_owner PATH: (of step co_i, or its temporary file) chown where the owner that a new file gets is not the one wanted, or not the one the replaced file had.
co_owner() {
  eval "co_o=\$o_$co_i co_g=\$g_$co_i"
  if [ "$co_s" != - ]; then
    [ "$co_o" != - ] || { co_o=${co_s#*:u} && co_o=${co_o%%:*}; }
    [ "$co_g" != - ] || { co_g=${co_s#*:g} && co_g=${co_g%%:*}; }
  fi
  case $co_uid:$co_o:$co_g in
    0:root:root | 0:0:0 | 0:0:root | 0:root:0 | 0:root:- | 0:0:-) [ -g "${co_p%/*}/" ] || return 0 ;;
  esac
  co_chown "$1"
}

co_chown() {
  case $co_o:$co_g in
    -:-) ;;
    -:*) chgrp -- "$co_g" "$1" ;;
    *:-) chown -- "$co_o" "$1" ;;
    *) chown -- "$co_o:$co_g" "$1" ;;
  esac
}

# co_commit: make the state of step co_i real. What it says on stderr is the reason when it fails.
co_commit() {
  eval "co_m=\$m_$co_i co_c=\$c_$co_i co_t=\$l_$co_i"
  case $co_k:$co_c in
    file:1) ;;
    *) co_tell ;;
  esac
  case $co_k:$co_c in
    absent:*) rm -rf -- "$co_p" ;;
    link:*)
      if [ -L "$co_p" ]; then
        ln -s -- "$co_t" "$co_p.coreops.$$" && mv -fT -- "$co_p.coreops.$$" "$co_p"
      else
        ln -sfn -- "$co_t" "$co_p"
      fi
      ;;
    file:1) co_rename ;;
    *)
      eval "co_o=\$o_$co_i co_g=\$g_$co_i"
      if [ "$co_m" != - ]; then chmod -- "$co_m" "$co_p"; fi && co_chown "$co_p"
      ;;
  esac
}

# co_rename: move temporary file co_i to its place, and by the same process all others of its row that wait with it.
co_rename() {
  eval "co_a=\$t_$co_i"
  [ -n "$co_a" ] && [ -e "$co_a" ] || return 0 # an earlier one took it along
  co_tell
  ! co_place || return 0
  case $co_s in a*) mv -fT -- "$co_a" "$co_p" && return ;; esac
  co_room=${co_a%/*} co_first=$co_i co_past=''
  set --
  for co_i in $co_batch; do
    [ "$co_i" != "$co_first" ] || co_past=1
    [ -n "$co_past" ] || continue
    eval "co_a=\$t_$co_i co_st=\$d_$co_i:\$k_$co_i:\$c_$co_i:\$s_$co_i"
    case $co_st in
      ok:*) continue ;;
      todo:file:1:a*) break ;;
      todo:file:1:*) [ "${co_a%/*}" = "$co_room" ] || continue ;;
      *) break ;;
    esac
    set -- "$@" "$co_a"
  done
  co_i=$co_first
  eval "co_a=\$t_$co_i"
  mv -f -- "$@" "${co_p%/*}/"
  [ ! -e "$co_a" ]
}

# co_place: link all files of co_i's hall to their places, where all of them are new and of this row. What is linked
# leaves the hall when the hall is removed.
co_place() {
  eval "co_hall=\$r_$co_i"
  [ -n "$co_hall" ] || return
  co_first=$co_i co_past='' co_row=''
  for co_i in $co_batch; do
    [ "$co_i" != "$co_first" ] || co_past=1
    eval "co_st=\$d_$co_i:\$k_$co_i:\$c_$co_i:\$s_$co_i:\$r_$co_i"
    case $co_past:$co_st in
      1:todo:file:1:-:"$co_hall") co_row="$co_row $co_i" ;;
      *:"$co_hall") co_row='' && break ;;
      :* | 1:ok:* | 1:made:* | 1:todo:file:1:[!a]*) ;;
      *) co_past=0 ;;
    esac
  done
  co_i=$co_first
  [ -n "$co_row" ] && cp -rl -- "$co_hall/." "${co_hall%/*}/" 2>/dev/null || return
  for co_j in $co_row; do eval "t_$co_j="; done
}
