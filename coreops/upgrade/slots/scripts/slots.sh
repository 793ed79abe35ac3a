# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # other scripts use the variables
# Which partitions are the slots, and which one is /usr: told by what is mounted, never by labels.
# After find_slots: disk, booted and passive (partition numbers; passive is empty when there is none), slots (both),
# label_of_booted, label_of_passive, dev_of_passive, size_of_passive (bytes), and kind, what decides which slot boots.

loader_guid=4a67b082-0a4c-41cf-b6c7-440b29bb8c4f # of the variables of boot managers

persist() { sync "$@" 2>/dev/null || sync; }

# forget FILE...: remove durably.
forget() { rm -f "$@" && persist "$folder"; }

# keep FILE: write stdin to it durably; a reader sees the old content or the new.
keep() { cat >"$1.new" && persist "$1.new" && mv -f "$1.new" "$1" && persist "$folder"; }

# device_number PATH: major:minor of a block device.
device_number() {
  found=$(stat -L -c '%t %T' "$1" 2>/dev/null) || return 1
  echo "$((0x${found% *})):$((0x${found#* }))"
}

# find_usr: sets sys, the folder in sysfs of the partition that holds /usr. Overlays on /usr (systemd-sysext) do not
# count; device mappings (dm-verity) are followed down.
find_usr() {
  usr=''
  while read -r _ _ number _ at rest; do
    [ "$at" = /usr ] || continue
    rest=${rest#* - } && rest=${rest#* } && source=${rest%% *}
    case $source:$number in # btrfs gives its mounts numbers that are no device's
      /*:*) if [ -b "$source" ]; then number=$(device_number "$source"); fi ;;
    esac
    case $number in 0:*) continue ;; esac
    [ ! -d "/sys/dev/block/$number" ] || usr=$number
  done </proc/self/mountinfo
  [ -n "$usr" ] || fail "/usr is no partition of its own: this node has no slots; only CoreOS's layout can be upgraded this way"
  sys=/sys/dev/block/$usr
  while [ ! -r "$sys/partition" ]; do
    set -- "$sys"/slaves/*
    case $#$1 in 1*[!*]) ;; *) fail "cannot tell which partition /usr is on (device $usr): only CoreOS's layout can be upgraded this way" ;; esac
    sys=$1
  done
}

# node_of MAJOR:MINOR: the device node, whatever its name.
node_of() {
  while IFS='=' read -r key value; do
    [ "$key" != DEVNAME ] || [ ! -b "/dev/$value" ] || [ "$(device_number "/dev/$value")" != "$1" ] || { echo "/dev/$value" && return; }
  done <"/sys/dev/block/$1/uevent"
  want=$(printf '%x:%x:' "${1%:*}" "${1#*:}")
  stat -c '%t:%T:%n' /dev/* 2>/dev/null | while IFS= read -r line; do
    case $line in "$want"*) [ ! -b "${line#"$want"}" ] || { echo "${line#"$want"}" && break; } ;; esac
  done
}

find_slots() {
  find_usr
  read -r booted <"$sys/partition"
  read -r number <"$sys/../dev"
  disk=$(node_of "$number")
  [ -n "$disk" ] || fail "there is no device node for the disk $number that /usr is on"
  parts=''
  for each in "$sys"/../*/partition; do
    read -r n <"$each" && parts="$parts $n"
    eval "sys_$n=\${each%/partition}"
  done
  choose_tool
  # shellcheck disable=SC2086 # numbers
  read_table $parts
  slots='' passive=''
  for n in $parts; do
    is_slot "$n" || continue
    slots="$slots $n"
    [ "$n" = "$booted" ] || passive="$passive $n"
  done
  passive=${passive# }
  is_slot "$booted" || fail "/usr is mounted from partition $booted of $disk, which is no slot of CoreOS's layout"
  case $passive in *' '*) fail "$disk has more than two slots: coreops swaps between two" ;; esac
  eval "label_of_booted=\$label_$booted"
  case $label_of_booted in '' | *[!A-Za-z0-9._-]*) label_of_booted=partition-$booted ;; esac
  find_kind
  label_of_passive='' dev_of_passive='' size_of_passive=0
  [ -n "$passive" ] || return 0
  eval "label_of_passive=\$label_$passive sys_of_passive=\$sys_$passive"
  case $label_of_passive in '' | *[!A-Za-z0-9._-]*) label_of_passive=partition-$passive ;; esac
  read -r number_of_passive <"$sys_of_passive/dev"
  dev_of_passive=$(node_of "$number_of_passive")
  read -r size_of_passive <"$sys_of_passive/size"
  size_of_passive=$((size_of_passive * 512))
}

# letter_of N: a or b, by the label or by the UUID that CoreOS's slots have on every machine.
letter_of() {
  eval "set -- \"\$uuid_$1:\$label_$1\""
  case $1 in
    7130[Cc]94[Aa]-* | *:USR-A) echo a ;;
    [Ee]03[Dd][Dd]35[Cc]-* | *:USR-B) echo b ;;
  esac
}

# find_kind: sdboot where the firmware is UEFI and the disk's ESP has entries for slots.
find_kind() {
  kind=gptprio
  [ -d /sys/firmware/efi ] || return 0
  if find_entries; then
    kind=sdboot
    read_entries
  elif tr -d '\0' <"/sys/firmware/efi/efivars/LoaderInfo-$loader_guid" 2>/dev/null | grep -q systemd-boot; then
    fail "systemd-boot started this node, but neither /boot nor /efi nor /boot/efi has an entry for a slot in loader/entries: mount the ESP"
  fi
}

# require_passive: there is a passive slot, and nothing uses it.
require_passive() {
  [ -z "$damaged" ] || fail "the primary partition table of $disk is damaged ($damaged): repair it first, for example with cgpt repair or sgdisk -e"
  [ -n "$passive" ] || fail "$disk has no second slot to write to"
  [ -n "$dev_of_passive" ] || fail "there is no device node for the passive slot, partition $passive of $disk"
  while read -r _ _ each _ at _; do
    [ "$each" != "$number_of_passive" ] || fail "the passive slot $label_of_passive is mounted at $at: unmount it"
  done </proc/self/mountinfo
  for each in "$sys_of_passive"/holders/*; do
    [ ! -e "$each" ] || fail "the passive slot $label_of_passive is in use by ${each##*/}: release it"
  done
}

# ticket_says KEY: a word from the ticket. It is JSON with one key a line.
ticket_says() { sed -n "s/^ *\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p" "$folder/ticket" 2>/dev/null; }

# mark_ticket STAGE: the ticket tells of this boot from now on; a good one still tells of the boot that was left for it.
mark_ticket() {
  boot=$(ticket_says boot_id)
  [ "$1" = good ] || read -r boot </proc/sys/kernel/random/boot_id
  [ "$(ticket_says stage) $(ticket_says boot_id)" != "$1 $boot" ] || return 0
  sed "s/^\( *\"stage\": \)\"[^\"]*\"/\1\"$1\"/; s/^\( *\"boot_id\": \)\"[^\"]*\"/\1\"$boot\"/" "$folder/ticket" \
    | keep "$folder/ticket" || fail "cannot write $folder/ticket: is the disk full?"
}

# head_of DEVICE: a mark of what lies on it, cheap enough to be asked for at every look: whoever writes a file system
# there writes its first blocks.
head_of() {
  dd if="$1" bs=65536 count=4 2>/dev/null | digest
}

# digest: SHA-256 of stdin. openssl, where the node has it, uses the processor's instructions for it.
digest() {
  if command -v openssl >/dev/null; then found=$(openssl dgst -sha256 -r); else found=$(sha256sum); fi
  echo "${found%% *}"
}

# version_in DEVICE: the VERSION_ID of the /usr file system on it, read in a mount namespace that ends with the reader.
version_in() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  unshare -m sh -c 'mount -o ro,nodev,nosuid,noexec "$1" /tmp && cat /tmp/lib/os-release' - "$1" 2>/dev/null \
    | sed -n 's/^VERSION_ID=//p' | tr -d "\"'"
}


# require_good_booted: the booted slot would boot again by itself, so the passive one may be touched.
require_good_booted() {
  "good_$kind" "$booted" || fail "the booted slot $label_of_booted is not marked good: finish the last upgrade first, or mark it good (coreops resume)"
}

# is_staged SHA256: does the passive slot hold this image, written and read back by coreops?
is_staged() {
  [ -r "$folder/staged" ] || return 1
  read -r staged staged_slot staged_head _ <"$folder/staged"
  [ "$staged $staged_slot" = "$1 $label_of_passive" ] && [ "$(head_of "$dev_of_passive")" = "$staged_head" ]
}
