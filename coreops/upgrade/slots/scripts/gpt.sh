# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # other scripts use the variables
# Reads and writes the slots' bits in the partition table of $disk, with cgpt, sfdisk or sgdisk. Partition N's are p_N
# (priority) t_N (tries) s_N (successful) o_N (all other bits, as the tool spells them); also type_N uuid_N label_N.
fail() { printf '%s\n' "$1" >&2 && exit 2; }

# choose_tool: the first of $TOOLS that the node has. cgpt is CoreOS's own; sgdisk waits a second at every write.
choose_tool() {
  for tool in ${TOOLS:-cgpt sfdisk sgdisk}; do
    command -v "$tool" >/dev/null 2>&1 && return
  done
  fail "the node has neither sgdisk nor sfdisk nor cgpt to set the slots' bits with: put one into the image"
}

# read_table N...: read these partitions. Sets damaged to what is wrong with the primary table.
read_table() {
  damaged=''
  for n; do eval "type_$n= uuid_$n= label_$n= p_$n=0 t_$n=0 s_$n=0 o_$n="; done
  "read_$tool" "$@"
}

# is_slot N: is it a partition of CoreOS's /usr type?
is_slot() {
  eval "type=\$type_$1"
  case $type in
    5[Dd][Ff][Bb][Ff]5[Ff]4-2848-4[Bb][Aa][Cc]-[Aa][Aa]5[Ee]-0[Dd]9[Aa]20[Bb]745[Aa]6) ;;
    *) return 1 ;;
  esac
}

read_sgdisk() {
  numbers="$*"
  set --
  for n in $numbers; do set -- "$@" -i "$n"; done
  said=$(sgdisk "$@" "$disk" 2>&1 </dev/null) || fail "sgdisk cannot read the partition table of $disk: $said"
  # shellcheck disable=SC2086 # numbers
  set -- $numbers
  n=''
  while IFS= read -r line; do
    case $line in
      *'invalid main GPT header'* | *'CRC on main header'* | *'Main header: ERROR'* | *'Main partition table: ERROR'*)
        damaged=$line ;;
      'Partition GUID code: '*)
        n=$1 && shift
        line=${line#*: } && line=${line%% *}
        eval "type_$n=\$line"
        ;;
      *' does not exist.'*) shift ;;
      'Partition unique GUID: '*) eval "uuid_$n=\${line#*: }" ;;
      'Partition name: '*) line=${line#*\'} && eval "label_$n=\${line%\'}" ;;
      'Attribute flags: '*) # 16 hexadecimal digits: the 2nd is bits 59-56, the 3rd tries, the 4th priority
        line=${line#*: }
        a=${line#?} && b=${line#??} && c=${line#???}
        a=${a%"$b"} && b=${b%"$c"} && c=${c%"${c#?}"}
        eval "o_$n=\$line p_$n=\$((0x$c)) t_$n=\$((0x$b)) s_$n=\$((0x$a & 1))"
        ;;
    esac
  done <<EOF
$said
EOF
}

write_sgdisk() { # N PRIORITY TRIES SUCCESSFUL
  eval "bits=\$o_$1"
  a=${bits#?} && a=${a%"${a#?}"}
  bits=$(printf '%s%x%x%x%s' "${bits%"${bits#?}"}" $((0x$a & 14 | $4)) "$3" "$2" "${bits#????}")
  sgdisk -A "$1:=:$bits" "$disk" </dev/null
}

read_sfdisk() {
  said=$(sfdisk --dump "$disk" 2>&1 </dev/null) || fail "sfdisk cannot read the partition table of $disk: $said"
  while IFS= read -r line; do
    case $line in
      *'primary GPT table is corrupt'*) damaged=$line ;;
      /*' : '*'type='*) ;;
      *) continue ;;
    esac
    n=${line%% : *} && n=${n##*[!0-9]}
    case " $* " in *" $n "*) ;; *) continue ;; esac
    type=${line#*type=} && type=${type%%[, ]*}
    uuid=${line#*uuid=} && uuid=${uuid%%[, ]*}
    label='' bits=''
    case $line in *'name="'*) label=${line#*name=\"} && label=${label%%\"*} ;; esac
    case $line in *'attrs="'*) bits=${line##*attrs=\"} && bits=${bits%%\"*} ;; esac
    eval "type_$n=\$type uuid_$n=\$uuid label_$n=\$label"
    p=0 t=0 s=0 others=''
    for word in $(printf '%s' "$bits" | sed 's/GUID://; s/,/ /g'); do
      case $word in
        48 | 49 | 50 | 51) p=$((p | 1 << (word - 48))) ;;
        52 | 53 | 54 | 55) t=$((t | 1 << (word - 52))) ;;
        56) s=1 ;;
        [0-9]*) others="$others,$word" ;;
        *) others="$word $others" ;; # by name: RequiredPartition, ...
      esac
    done
    eval "p_$n=\$p t_$n=\$t s_$n=\$s o_$n=\$others"
  done <<EOF
$said
EOF
}

write_sfdisk() {
  eval "bits=\$o_$1"
  names='' list=''
  case $bits in *,*) list=,${bits#*,} ;; esac
  names=${bits%%,*}
  for bit in 0 1 2 3; do
    [ $(($2 >> bit & 1)) -eq 0 ] || list="$list,$((48 + bit))"
    [ $(($3 >> bit & 1)) -eq 0 ] || list="$list,$((52 + bit))"
  done
  [ "$4" -eq 0 ] || list="$list,56"
  [ -z "$list" ] || names="${names}GUID:${list#,}"
  sfdisk --quiet --no-reread --no-tell-kernel --part-attrs "$disk" "$1" "$names" </dev/null
}

read_cgpt() {
  said=$(cgpt show -n "$disk" 2>&1 </dev/null) || fail "cgpt cannot read the partition table of $disk: $said"
  n=''
  while read -r start size part rest; do
    case $start:$rest in
      *:*'Pri GPT'*) case $part in INVALID) damaged="cgpt calls its $rest invalid" ;; esac ;;
      [0-9]*:'Label: "'*)
        n=''
        case " $* " in *" $part "*) n=$part && rest=${rest#*\"} && rest=${rest%\"} && eval "label_$n=\$rest" ;; esac
        ;;
    esac
    [ -n "$n" ] || continue
    case $start in
      Type:) eval "type_$n=\$size" ;;
      UUID:) eval "uuid_$n=\$size" ;;
      Attr:) # [101], the upper 16 bits; CoreOS's own says all 64: 0x0101000000000000
        case $size in
          0x*) bits=${size#0x} && bits=${bits%????????????} ;;
          *) bits=${size#?} && bits=${bits%?} ;;
        esac
        bits=$((0x$bits))
        eval "p_$n=$((bits & 15)) t_$n=$((bits >> 4 & 15)) s_$n=$((bits >> 8 & 1))"
        ;;
    esac
  done <<EOF
$said
EOF
}

write_cgpt() { cgpt add -i "$1" -P "$2" -T "$3" -S "$4" "$disk" </dev/null; }

# set_bits N PRIORITY TRIES SUCCESSFUL: one write of the table, then read back. Nothing is written when they are so.
set_bits() {
  eval "now=\"\$p_$1 \$t_$1 \$s_$1\""
  [ "$now" != "$2 $3 $4" ] || return 0
  said=$("write_$tool" "$@" 2>&1) || fail "$tool cannot set the bits of partition $1 of $disk: $said"
  persist "$disk"
  # shellcheck disable=SC2086 # numbers
  read_table $slots
  eval "now=\"\$p_$1 \$t_$1 \$s_$1\""
  [ "$now" = "$2 $3 $4" ] || fail "$tool has set priority, tries and success of partition $1 of $disk to $2 $3 $4, but they read $now: look at the disk"
}
