# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh and from the environment
# Reads back what was written, from the disk itself; puts the kernel in its place; notes what the slot holds.
# Environment, besides staging.sh's: FRAMES (how many were to be sent) USR_SHA256 KERNEL_IS_HERE (empty, or not: it is
# the running slot's, and was not sent).
begin_staging
! is_staged "$SHA256" || exit 0
take_lock
[ "$(frames_done)" -ge "$FRAMES" ] || fail "the image is not all there: $(frames_done) of $FRAMES frames are written; begin again"

# read_back FILE SIZE SHA256
read_back() {
  blockdev --flushbufs "$1" 2>/dev/null || dd if="$1" iflag=nocache count=0 2>/dev/null
  found=$(dd if="$1" bs=1048576 count="$2" iflag=count_bytes,fullblock 2>/dev/null | digest)
  [ "$found" = "$3" ] && return
  forget "$folder/staging"
  fail "what was read back from $1 is not what was sent (SHA-256 $found, not $3): the disk may be failing, or something else writes to it"
}
read_back "$dev_of_passive" "$USR_SIZE" "$USR_SHA256"
found=$(version_in "$dev_of_passive") # nothing, when the running kernel cannot read the new file system
[ -z "$found" ] || [ "$found" = "$VERSION" ] || {
  forget "$folder/staging"
  fail "the image says it is $found inside, the channel says $VERSION: publish it again under its own version"
}
if [ "$KERNEL_SIZE" -gt 0 ]; then
  if [ -n "$KERNEL_IS_HERE" ]; then
    "kernel_of_booted_$kind"
    { mkdir -p "${kernel%/*}" && cp -f "$kernel_here" "$kernel.new" && persist "$kernel.new"; } \
      || fail "cannot copy $kernel_here to $kernel.new: is $where_kernels_are full, or mounted read-only?"
  fi
  if [ -e "$kernel.new" ]; then
    read_back "$kernel.new" "$KERNEL_SIZE" "$KERNEL_SHA256"
    { mv -f "$kernel.new" "$kernel" && persist "$kernel" "${kernel%/*}"; } \
      || fail "cannot rename $kernel.new to $kernel: is $where_kernels_are mounted read-only?"
  else # it has been renamed, and this is done a second time
    read_back "$kernel" "$KERNEL_SIZE" "$KERNEL_SHA256"
  fi
fi
echo "$SHA256 $label_of_passive $(head_of "$dev_of_passive") $VERSION" | keep "$folder/staged" \
  || fail "cannot write $folder/staged: is the disk full?"
forget "$folder/staging"
