# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh and from the environment
# May the release be written to this node, and how much of it is there? Says "staged" or "frames N".
begin_staging
case $CODEC in
  none) ;;
  *) command -v "$CODEC" >/dev/null || fail "the node has no $CODEC to unpack the image with: publish it with another --codec" ;;
esac
if is_staged "$SHA256"; then echo staged; else echo "frames $(frames_done)"; fi
