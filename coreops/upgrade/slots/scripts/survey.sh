# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh
# Says what a node is, where it boots from, and who else may reboot or upgrade it: one "key value" a line. Reads only.
say() { printf '%s %s\n' "$1" "$2"; }
value_of() { # KEY FILE: sets value to the last one there, without quotes. No process: it is asked for often
  value=''
  [ -r "$2" ] || return 0
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in "$1="*) value=${line#*=} ;; esac
  done <"$2"
  while :; do
    case $value in *[\"\']*) value=${value%%[\"\']*}${value#*[\"\']} ;; *) break ;; esac
  done
}

find_slots
read -r boot </proc/sys/kernel/random/boot_id && say boot_id "$boot"
read -r id </etc/machine-id && say machine_id "$id"
read -r up _ </proc/uptime && say uptime "$up"
for release in /usr/lib/os-release /etc/os-release; do
  [ -r "$release" ] || continue
  value_of VERSION_ID "$release"
  say version "$value"
  break
done
for os in FLATCAR:flatcar COREOS:coreos; do
  value_of "${os%:*}_RELEASE_BOARD" "/usr/share/${os#*:}/release"
  say board "$value"
done
say arch "$(uname -m)"

say tool "$tool"
say damaged "$damaged"
say kind "$kind"
"say_$kind"
say booted "$booted $label_of_booted"
say passive "$passive $label_of_passive"
say passive_size "$size_of_passive"

# What is in the passive slot? Mounted in a mount namespace of its own, so that it is unmounted whatever happens.
staged='' staged_slot='' staged_version=''
[ ! -r "$folder/staged" ] || read -r staged staged_slot staged_head staged_version <"$folder/staged"
if [ -n "$dev_of_passive" ]; then
  if [ -n "$staged" ] && [ "$staged_slot" = "$label_of_passive" ] && [ "$(head_of "$dev_of_passive")" = "$staged_head" ]; then
    say staged "$staged"
    say passive_version "$staged_version"
  else
    ! "bootable_$kind" "$passive" || say passive_version "$(version_in "$dev_of_passive")"
  fi
fi

[ ! -r "$folder/ticket" ] || while IFS= read -r line; do say ticket "$line"; done <"$folder/ticket"
systemctl list-units --state=failed --plain --no-legend --no-pager 2>/dev/null | while read -r unit _; do say failed "$unit"; done
systemctl show -p Id -p LoadState -p ActiveState -p UnitFileState \
  locksmithd.service update-engine.service zincati.service rauc-hawkbit-updater.service \
  systemd-bless-boot.service 2>/dev/null \
  | while IFS= read -r line; do say unit "$line"; done
for os in flatcar coreos; do
  for file in "/usr/share/$os/update.conf" "/etc/$os/update.conf"; do
    value_of REBOOT_STRATEGY "$file"
    [ -z "$value" ] || say strategy "$value"
  done
done
[ ! -r /run/update-engine/coordinator.conf ] || while IFS= read -r line; do say coordinator "$line"; done </run/update-engine/coordinator.conf
[ ! -e /run/reboot-required ] || say pending /run/reboot-required
[ ! -e /run/update_engine_autoupdate_completed ] || say pending /run/update_engine_autoupdate_completed
for each in /proc/[0-9]*/comm; do
  { read -r name <"$each"; } 2>/dev/null || continue
  case $name in kured | update-agent | update-operator) say agent "$name" ;; esac
done
for each in "$folder" /var/lib/coreops /var/lib; do [ ! -d "$each" ] || break; done
[ -w "$each" ] || say readonly "$each"
exit 0
