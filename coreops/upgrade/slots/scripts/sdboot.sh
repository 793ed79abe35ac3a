# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables come from slots.sh and go to other scripts
# Which slot boots, where systemd-boot decides: entries on the ESP, usr-a*.conf and usr-b*.conf. NAME.conf is good,
# NAME+1.conf has a try left, NAME+0-1.conf has had it, and a slot without an entry is inert. Of those that may boot the
# one with the highest version does. gptprio.sh says what the functions are for.
#
# FAT has no journal. So all of an entry is on the disk before it gets its name, and no name is taken away that may be
# the only one of a good slot; one change is on the disk before the next is made.

settle_esp() { sync -f "$entries" 2>/dev/null || sync; }

# find_entries: sets esp and entries. Only what is on the disk with the slots counts: another disk has another boot.
find_entries() {
  for esp in /boot /efi /boot/efi; do
    entries=$esp/loader/entries
    for each in "$entries"/usr-[ab].conf "$entries"/usr-[ab]+*.conf; do
      [ ! -f "$each" ] || break 2
    done
    entries=''
  done
  [ -n "$entries" ] || return 1
  on=''
  while read -r _ _ each _ at _; do [ "$at" != "$esp" ] || on=$each; done </proc/self/mountinfo
  for n in $parts; do
    eval "read -r each <\"\$sys_$n/dev\""
    [ "$each" != "$on" ] || return 0
  done
  fail "$entries has entries for slots, but is not on $disk, which /usr is on: coreops cannot tell which of them boots"
}

# word_of KEY FILE: what an entry says.
word_of() { sed -n "s/[[:space:]]*\$//; s/^${1}[[:blank:]][[:blank:]]*//p" "$2" 2>/dev/null | tail -n 1; }

# version_of FILE: of an entry. coreops counts with it.
version_of() {
  version=$(word_of version "$entries/$1")
  case $version in
    '' | *[!0-9]*) fail "the version of the boot entry $entries/$1 is no number ($version): coreops counts with it; say version 1" ;;
  esac
  echo "$version"
}

# read_entries: sets, for each slot N, name_N; plain_N and counted_N, the names of its entries; v_N, the highest version.
read_entries() {
  for n in $slots; do
    its_name=usr-$(letter_of "$n") its_plain='' its_counted='' top=0
    [ "$its_name" != usr- ] || fail "partition $n is neither USR-A nor USR-B: coreops cannot tell which entry of $entries boots it"
    for file in "$entries/$its_name.conf" "$entries/$its_name"+[0-9]*.conf; do
      [ -f "$file" ] || continue
      file=${file##*/}
      v=$(version_of "$file") || exit 2
      [ "$top" -gt "$v" ] || top=$v
      case $file in *+*) its_counted="$its_counted $file" ;; *) its_plain=$file ;; esac
    done
    eval "name_$n=\$its_name plain_$n=\$its_plain counted_$n=\${its_counted# } v_$n=\$top"
  done
}

# An entry with a count says that it is not known whether the slot is good, whatever lies beside it.
good_sdboot() { eval "[ -n \"\$plain_$1\" ] && [ -z \"\$counted_$1\" ]"; }
bootable_sdboot() { eval "[ -n \"\$plain_$1\$counted_$1\" ]"; }

# drop NAME...: remove entries.
drop() {
  for each; do
    { rm -f "$entries/$each" && settle_esp; } || fail "cannot remove $entries/$each: is $esp mounted read-only?"
  done
  read_entries
}

# entry_text N VERSION: of an entry that boots slot N, after the model of the one that booted.
entry_text() {
  model=''
  for m in $booted $slots; do
    eval "set -- \"\$1\" \"\$2\" \$plain_$m \$counted_$m"
    [ $# -eq 2 ] || { model=$entries/$3 && break; }
  done
  [ -n "$model" ] || fail "$entries has no entry any more that could be the model for a new one"
  eval "from=\$uuid_$m old=\$name_$m to=\$uuid_$1 name=\$name_$1"
  word_of options "$model" | grep -qi "$from" || fail "$model names another partition than $from in its options: it is not the entry of a slot"
  sed "/^version[[:blank:]]/d; s/$from/$(printf %s "$to" | tr A-F a-f)/gI; s,/$old/,/$name/,g" "$model" && echo "version $2"
}

# put_entry NAME N VERSION: a new entry for slot N.
put_entry() {
  made=$(entry_text "$2" "$3") || exit 2
  for key in linux efi initrd; do
    printf '%s\n' "$made" | sed -n "s/[[:space:]]*\$//; s/^${key}[[:blank:]][[:blank:]]*//p" | while read -r file; do
      [ -f "$esp/${file#/}" ] || fail "slot $2 cannot boot: $esp/${file#/} is missing"
    done || exit 2
  done
  unnamed=$entries/$1.new
  { rm -f "$unnamed" && printf '%s\n' "$made" >"$unnamed" && settle_esp && mv "$unnamed" "$entries/$1" && settle_esp; } \
    || fail "cannot write $entries/$1: is $esp full, or mounted read-only?"
  [ "$(cat "$entries/$1")" = "$made" ] || fail "$entries/$1 does not read as it was written: look at $esp"
  read_entries
}

inert_sdboot() { eval "drop \$plain_$1 \$counted_$1"; }

# A good entry of the passive slot may stay beside the one with a try: it comes after the booted slot's.
try_passive_sdboot() {
  eval "name=\$name_$passive plain=\$plain_$passive least=\$v_$booted"
  [ -z "$plain" ] || [ "$(version_of "$plain")" -lt "$least" ] || drop "$plain"
  eval "counted=\$counted_$passive want=\$v_$passive"
  [ "$want" -gt "$least" ] || want=$((least + 1))
  case " $counted " in
    *" $name+1.conf "*) [ "$(version_of "$name+1.conf")" -gt "$least" ] || drop "$name+1.conf" ;;
  esac
  [ -e "$entries/$name+1.conf" ] || put_entry "$name+1.conf" "$passive" "$want"
  for each in $counted; do
    [ "$each" = "$name+1.conf" ] || drop "$each"
  done
}

# shellcheck disable=SC2086 # names
untry_passive_sdboot() { eval "drop \$counted_$passive"; }

# An entry with tries stands in while the good one is written anew.
prefer_sdboot() {
  eval "plain=\$plain_$1 counted=\$counted_$1 name=\$name_$1 want=\$v_$1"
  if [ -n "$2" ] && bootable_sdboot "$2"; then
    eval "least=\$v_$2"
    [ "$want" -gt "$least" ] || want=$((least + 1))
  fi
  if [ -z "$plain" ] || [ "$(version_of "$plain")" != "$want" ]; then
    if [ -n "$plain" ]; then
      [ -n "$counted" ] || { counted=$name+3.conf && put_entry "$counted" "$1" "$want"; }
      drop "$plain"
    fi
    put_entry "$name.conf" "$1" "$want"
  fi
  # shellcheck disable=SC2086 # names
  drop $counted
}

keep_booted_sdboot() { good_sdboot "$booted" || prefer_sdboot "$booted" ''; }

# The good entry of the old slot is not touched: without the new slot's it is the first.
leave_sdboot() {
  good_sdboot "$2" || prefer_sdboot "$2" "$1"
  inert_sdboot "$1"
}

# One file: a kernel with its initial file system inside (a unified kernel image).
kernel_of_passive_sdboot() {
  made=$(entry_text "$passive" 0) || exit 2
  kernel=$(printf '%s\n' "$made" | sed -n 's/[[:space:]]*$//; s/^\(linux\|efi\)[[:blank:]][[:blank:]]*//p' | tail -n 1)
  kernel=$esp/${kernel#/} where_kernels_are=$esp must_have_kernel=yes
}

kernel_of_booted_sdboot() {
  eval "plain=\$plain_$booted"
  kernel_here=$(sed -n 's/[[:space:]]*$//; s/^\(linux\|efi\)[[:blank:]][[:blank:]]*//p' "$entries/$plain" | tail -n 1)
  kernel_here=$esp/${kernel_here#/}
}

say_sdboot() {
  for n in $slots; do
    eval "say slot \"\$n \$name_$n\""
  done
  for file in "$entries"/*.conf; do
    [ -f "$file" ] || continue
    say entry "file ${file##*/}"
    while IFS= read -r line || [ -n "$line" ]; do say entry "text $line"; done <"$file"
  done
  for file in "$esp"/[Ee][Ff][Ii]/[Ll][Ii][Nn][Uu][Xx]/*.[Ee][Ff][Ii]; do
    [ ! -e "$file" ] || say unified "$file"
  done
  default=$(word_of default "$esp/loader/loader.conf")
  [ -z "$default" ] || say default "$esp/loader/loader.conf: default $default"
  for each in LoaderEntryOneShot LoaderEntryDefault; do
    [ ! -e "/sys/firmware/efi/efivars/$each-$loader_guid" ] || say default "EFI variable $each"
  done
  [ -w "$entries" ] || say readonly "$entries"
}
