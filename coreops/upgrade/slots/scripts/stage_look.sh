# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh and from the environment
# May the release be written to this node, and how much of it is there? Says "staged", or "frames N", or "frames N kernel"
# where the running slot's kernel is the release's and need not be sent.
begin_staging
case $CODEC in
  none) ;;
  *) command -v "$CODEC" >/dev/null || fail "the node has no $CODEC to unpack the image with: publish it with another --codec" ;;
esac
if is_staged "$SHA256"; then
  echo staged
else
  find_kernel_here
  echo "frames $(frames_done)${kernel_here:+ kernel}"
fi
