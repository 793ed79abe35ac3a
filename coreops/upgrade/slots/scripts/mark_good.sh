# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh
# The booted slot is proven: it is good and boots from now on. The other slot stays what it is.
find_slots
if [ -e "$folder/ticket" ]; then
  [ "$(ticket_says slot)" = "$label_of_booted" ] || fail "the node runs from $label_of_booted, but the release is in $(ticket_says slot): this is not the slot to mark good"
  [ "$(ticket_says stage)" != 'rolling back' ] || fail "the release in $label_of_booted is being rolled back: it cannot be marked good any more"
fi
"prefer_$kind" "$booted" "$passive"
[ ! -e "$folder/ticket" ] || mark_ticket good
