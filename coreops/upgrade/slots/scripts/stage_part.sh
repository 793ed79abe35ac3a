# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh and from the environment
# Writes frames from stdin to the passive slot (those of the kernel: to a file beside the kernel). Environment, besides
# staging.sh's: FROM (number of the first frame) LENGTHS (of the frames, in bytes) BATCH (frames between two notes).
begin_staging
take_lock
done_before=$(frames_done)
[ "$FROM" -le "$done_before" ] || fail "the transfer has lost its place: $done_before frames are written, $FROM were expected; begin again"
[ ! -e "$folder/staged" ] || forget "$folder/staged"
"inert_$kind" "$passive"

unpack() {
  case $CODEC in
    gzip) exec gzip -dc ;;
    zstd) exec zstd -dcq ;;
  esac
}
# put: stdin to $into, from $offset on; its last words are how many bytes. "$@": more operands for dd. Past the page
# cache, where dd can: etcd's own writes would wait behind so many dirty pages, and it takes less time.
put() { exec dd of="$into" bs=1048576 seek="$offset" oflag=seek_bytes"$direct" conv=notrunc "$@"; }
# settle: put what was written on the disk, then note it. Runs beside the next frames' arrival.
settle() {
  dd if=/dev/null of="$into" conv=notrunc,fsync status=none || return
  echo "$SHA256 $label_of_passive $at ." >"$folder/staging"
}
settled() {
  [ -z "$settling" ] || wait "$settling" || fail "the disk does not take what was written to $into, or $folder is full: look at the node's kernel log"
  settling=''
}

settling='' can_direct=''
! dd if=/dev/null of="$dev_of_passive" oflag=direct conv=notrunc 2>/dev/null || can_direct=,direct
usr_frames=$(((USR_SIZE + FRAME - 1) / FRAME))
at=$FROM
# shellcheck disable=SC2086 # numbers
set -- $LENGTHS
while [ $# -gt 0 ]; do
  if [ "$at" -lt "$usr_frames" ]; then
    into=$dev_of_passive base=0 total=$USR_SIZE direct=$can_direct
  else
    into=$kernel.new base=$usr_frames total=$KERNEL_SIZE direct=''
    [ "$at" -gt "$base" ] || { rm -f "$into" && mkdir -p "${into%/*}"; }
  fi
  offset=$(((at - base) * FRAME)) bytes=0 n=0
  while [ $# -gt 0 ] && [ $n -lt "$BATCH" ] && [ $((offset + n * FRAME)) -lt "$total" ]; do
    bytes=$((bytes + $1)) n=$((n + 1))
    shift
  done
  at=$((at + n))
  want=$((n * FRAME))
  [ $((offset + want)) -le "$total" ] || want=$((total - offset))
  if [ "$CODEC" = none ]; then
    said=$(put count="$bytes" iflag=count_bytes,fullblock 2>&1)
  else
    said=$({ dd bs=262144 count="$bytes" iflag=count_bytes,fullblock status=none | unpack | put iflag=fullblock; } 2>&1)
  fi
  rc=$?
  case "$rc
$said" in
    "0
"*"
$want bytes "*) ;;
    *)
      said=$(printf '%s\n' "$said" | sed '/records \(in\|out\)$/d')
      fail "bytes $offset to $((offset + want)) of the release could not be written to $into: $(printf %s "$said" | tr '\n' ' ')"
      ;;
  esac
  settled
  settle &
  settling=$!
done
settled
