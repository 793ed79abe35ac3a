# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh
# The old slot boots next, the release's slot is inert. The ticket says so before that is arranged.
find_slots
slot=$(ticket_says slot)
case $slot in
  '') fail "there is no ticket on this node: coreops has activated nothing here that could be rolled back" ;;
  "$label_of_booted") old=$passive new=$booted ;;
  "$label_of_passive") old=$booted new=$passive ;;
  *) fail "the ticket names the slot $slot, but the slots are $label_of_booted and ${label_of_passive:-none}" ;;
esac
[ -n "$old" ] || fail "there is no other slot to go back to"
if [ "$old" != "$booted" ]; then
  "good_$kind" "$old" || fail "the other slot, $label_of_passive, is not known to be good: coreops will not boot it unasked"
  mark_ticket 'rolling back'
elif [ "$(ticket_says stage)" != 'rolling back' ]; then
  mark_ticket 'rolling back'
fi
"leave_$kind" "$new" "$old"
