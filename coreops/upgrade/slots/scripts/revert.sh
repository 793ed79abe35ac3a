# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh and from bits
# Undoes activate, in the slot that was booted then: it boots next, the other one is inert, the ticket is gone. A slot
# that was chosen for what it held already, and was not tried yet, is as good as it was.
find_slots
if [ -e "$folder/ticket" ]; then
  slot=$(ticket_says slot)
  [ "${slot:-?}" = "$label_of_passive" ] || fail "the node runs from $label_of_booted and the release is in $slot: roll back instead"
  eval "p=\$p_$booted s=\$s_$booted"
  if [ "$p" -eq 0 ] || [ "$s" -eq 0 ]; then set_bits "$booted" $((p ? p : 1)) 0 1; fi
  read -r boot </proc/sys/kernel/random/boot_id
  if [ "$(ticket_says stage) $(ticket_says sha256) $(ticket_says boot_id)" = "activated  $boot" ]; then
    eval "p=\$p_$booted"
    [ "$p" -gt 1 ] || set_bits "$booted" 2 0 1
    set_bits "$passive" 1 0 1
  else
    set_bits "$passive" 0 0 0
  fi
  forget "$folder/ticket"
fi
