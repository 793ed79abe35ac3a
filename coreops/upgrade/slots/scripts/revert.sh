# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh
# Undoes activate, in the slot that was booted then: it boots next, the other one is inert, the ticket is gone. A slot
# that was chosen for what it held already, and was not tried yet, is as good as it was.
find_slots
if [ -e "$folder/ticket" ]; then
  slot=$(ticket_says slot)
  [ "${slot:-?}" = "$label_of_passive" ] || fail "the node runs from $label_of_booted and the release is in $slot: roll back instead"
  "keep_booted_$kind"
  read -r boot </proc/sys/kernel/random/boot_id
  if [ "$(ticket_says stage) $(ticket_says sha256) $(ticket_says boot_id)" = "activated  $boot" ]; then
    "untry_passive_$kind"
  else
    "inert_$kind" "$passive"
  fi
  forget "$folder/ticket"
fi
