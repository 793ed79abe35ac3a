# shellcheck shell=sh
# shellcheck disable=SC2154,SC2034 # variables come from prelude.sh, files.sh and from eval
# How content arrives on the node: as text or raw, into temporary files beside its path, synced, hashed and dressed.
# Sent with files.sh, which says what the variables mean and moves the files to their place.
#
# co_texts: read the contents that come as sh text, ahead of all others: a line with their size, then calls of co_text.
co_texts() {
  read -r co_k || exit 1
  [ "$co_k" -gt 0 ] || return 0
  co_frame=$(dd bs="$co_k" count=1 iflag=fullblock 2>/dev/null) || exit 1
  eval "$co_frame"
  co_frame=''
}

# co_text I CONTENT: the content of step I.
co_text() { eval "y_$1=\$2 co_bytes=\$((co_bytes - z_$1))"; }

# co_receive: the content of step co_i into a temporary file beside its path. Its umask keeps it from being readable too soon.
co_receive() {
  eval "co_z=\$z_$co_i co_u=\$u_$co_i co_y=\$y_$co_i y_$co_i="
  [ -n "$co_y" ] || co_bytes=$((co_bytes - co_z))
  if [ ! -d "${co_p%/*}/" ]; then
    eval "e_$co_i=\"its folder does not exist: \$co_p\""
    [ -n "$co_y" ] || co_take "$co_z" /dev/null
    return 1
  fi
  # Temporary files wait under their own names in a folder beside them, so that one process can place many.
  co_room_of "$co_p"
  case $co_nl$co_made in
    *"$co_nl$co_room$co_nl"*) ;;
    *) co_rooms_for || { [ -n "$co_y" ] || co_take "$co_z" /dev/null; eval "t_$co_i="; return 1; } ;;
  esac
  eval "r_$co_i=\$co_hall"
  eval "co_m=\$m_$co_i"
  co_a=$co_room/${co_p##*/}
  eval "t_$co_i=\$co_a"
  co_temps="$co_temps $co_i"
  case $co_u:$co_m:$co_s in
    -:*:* | *:-:[!-]*) umask 077 ;;
    *) umask "$co_u" ;;
  esac
  co_e=''
  if [ -z "$co_y" ]; then
    co_take "$co_z" "$co_a" || co_e=1 co_lost=1
  else
    printf %s "$co_y" >"$co_a" || co_e=1
  fi
  umask 022
  [ -z "$co_e" ] || { eval "e_$co_i=\"cannot write \$co_z bytes to \$co_p: is the disk full or read-only?\"" && return 1; }
}

# co_room_of PATH: set co_room to the folder that its temporary file waits in: one in the file's own folder, as owner,
# labels and ACLs come from there. A folder that this batch has made (co_fresh) got them from its parent, so the room
# is in a hall in the parent (co_hall), which one process can empty into all its new folders.
co_room_of() {
  co_room=${1%/*} co_hall=''
  case $co_nl$co_fresh in
    *"$co_nl$co_room$co_nl"*) co_hall=${co_room%/*}/.coreops.$$ && co_room=$co_hall/${co_room##*/} ;;
    *) co_room=$co_room/.coreops.$$ ;;
  esac
}

# co_rooms_for: make the room of co_i, and by the same mkdir those for the files after it whose folders are there already.
co_rooms_for() {
  set --
  co_a='' co_b='' co_past=''
  for co_j in $co_todo; do
    [ "$co_j" != "$co_i" ] || co_past=1
    eval "co_t=\$co_past:\$k_$co_j:\$c_$co_j co_m=\$p_$co_j"
    [ "$co_t" = 1:file:1 ] && [ -d "${co_m%/*}/" ] || continue
    co_room_of "$co_m"
    case $co_nl$co_made$co_a in *"$co_nl$co_room$co_nl"*) continue ;; esac
    case $co_hall:$co_nl$co_made$co_a in
      :* | *"$co_nl$co_hall$co_nl"*) ;;
      *) set -- "$@" "$co_hall" && co_a=$co_a$co_hall$co_nl ;;
    esac
    set -- "$@" "$co_room"
    co_a=$co_a$co_room$co_nl co_b="$co_b $co_j"
    eval "v_$co_j=\${co_hall:-\$co_room}"
  done
  if ! (umask 077 && exec mkdir -- "$@" 2>/dev/null); then
    # Twice, as a hall comes before its rooms. Then by itself, without a hall.
    rmdir -- "$@" 2>/dev/null
    rmdir -- "$@" 2>/dev/null
    co_fresh='' co_room_of "$co_p"
    co_a=$co_room$co_nl co_b=$co_i
    eval "v_$co_i=\$co_room"
    (umask 077 && exec mkdir -- "$co_room") || return
  fi
  co_room_of "$co_p"
  co_made=$co_made$co_a co_rooms="$co_rooms $co_b"
}

# co_verify: what arrived is on the disk and is what was meant.
co_verify() {
  [ -n "$co_temps" ] || return 0
  set --
  for co_i in $co_temps; do eval "set -- \"\$@\" \"\$t_$co_i\""; done
  sync -- "$@" 2>/dev/null || sync
  co_seen=$co_temps
  for co_i in $co_temps; do eval "q_$co_i=\$p_$co_i p_$co_i=\$t_$co_i"; done
  co_lines "$(sha256sum -- "$@" 2>/dev/null)" h co_sum
  for co_i in $co_temps; do
    eval "p_$co_i=\$q_$co_i co_x=\$x_$co_i co_h=\$h_$co_i co_st=\$d_$co_i"
    if [ "$co_st" != todo ]; then
      continue
    elif [ "$co_x" != "$co_h" ]; then
      eval "d_$co_i=error e_$co_i=\"content arrived damaged (SHA-256 differs)\""
    else
      co_dress || eval "d_$co_i=error"
    fi
  done
}

# co_dress: give temporary file co_i its mode and owner. A new file's mode comes from its umask (u); by chmod only what a
# umask cannot give.
co_dress() {
  eval "co_p=\$p_$co_i co_m=\$m_$co_i co_s=\$s_$co_i co_u=\$u_$co_i co_a=\$t_$co_i"
  case $co_m:$co_s:$co_u in
    -:-:*) ;;
    -:*) co_m=${co_s#*:a} && chmod -- "${co_m%%:*}" "$co_a" ;;
    *:-) chmod -- "$co_m" "$co_a" ;;
  esac && co_owner "$co_a"
}

# co_clean: remove the folders of temporary files, and what a failure has left in them.
co_clean() {
  set --
  for co_i in $co_rooms; do eval "set -- \"\$@\" \"\$v_$co_i\""; done
  rm -rf -- "$@"
}
