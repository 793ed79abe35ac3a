# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh and from the environment
# Makes the passive slot the next to boot, with one try; the booted slot stays good. The ticket is on the disk before.
# Environment: TICKET (its text) SLOT SHA256 VERSION.
find_slots
require_passive
[ "$SLOT" = "$label_of_passive" ] || fail "the release was staged in $SLOT, but the passive slot is $label_of_passive: look at the node again"
require_good_booted
if [ -n "$SHA256" ]; then
  is_staged "$SHA256" || fail "the passive slot $SLOT does not hold the release any more: stage it again"
else
  found=$(version_in "$dev_of_passive")
  [ "$found" = "$VERSION" ] || fail "the passive slot $SLOT holds ${found:-nothing that can be read}, not $VERSION"
fi
[ "$(cat "$folder/ticket" 2>/dev/null)" = "$TICKET" ] || printf '%s\n' "$TICKET" | keep "$folder/ticket" \
  || fail "cannot write $folder/ticket: is the disk full?"
"try_passive_$kind"
