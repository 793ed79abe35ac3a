# shellcheck shell=dash
# GRUB's gptprio in sh: which slot boots, by the bits of its partition. 48-51 priority, 52-55 tries, 56 successful. Among
# those with tries or success the highest priority boots, of equals the first, and loses one try before it does. To be
# sourced; needs sfdisk, which takes the second table when the first is damaged, and an awk that may know no powers.

# slots DISK: a line for each slot: number uuid priority tries successful and "x" with all other attributes.
slots() {
  sfdisk --dump "$1" 2>/dev/null | awk '
    BEGIN { split("1 2 4 8", power, " ") }
    tolower($0) ~ /type=5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6/ {
      number = $1; sub(/.*[^0-9]/, "", number)
      uuid = ""; if (match($0, /uuid=[-0-9A-Fa-f]+/)) uuid = toupper(substr($0, RSTART + 5, RLENGTH - 5))
      bits = ""; if (match($0, /attrs="[^"]*"/)) bits = substr($0, RSTART + 7, RLENGTH - 8)
      priority = tries = good = 0; rest = ""
      count = split(bits, words, /[ ,:]/)
      for (i = 1; i <= count; i++) {
        bit = words[i]
        if (bit == "GUID" || bit == "") continue
        if (bit !~ /^[0-9]+$/) rest = rest "," bit
        else if (bit >= 48 && bit <= 51) priority += power[bit - 47]
        else if (bit >= 52 && bit <= 55) tries += power[bit - 51]
        else if (bit == 56) good = 1
        else rest = rest "," bit
      }
      print number, uuid, priority, tries, good, "x" rest
    }'
}

# names_of PRIORITY TRIES GOOD REST: the attributes as sfdisk takes them.
names_of() {
  echo "$@" | awk '
    BEGIN { split("1 2 4 8", power, " ") }
    { bits = ""
      for (i = 1; i <= 4; i++) if (int($1 / power[i]) % 2) bits = bits "," (47 + i)
      for (i = 1; i <= 4; i++) if (int($2 / power[i]) % 2) bits = bits "," (51 + i)
      if ($3 > 0) bits = bits ",56"
      named = ""; count = split(substr($4, 3), rest, ",")
      for (i = 1; i <= count; i++) if (rest[i] ~ /^[0-9]+$/) bits = bits "," rest[i]; else named = named " " rest[i]
      if (bits != "") named = named " GUID:" substr(bits, 2)
      print substr(named, 2) }'
}

# choose DISK: prints the number of the slot that boots, when its try has been used up on the disk.
choose() {
  best=$(slots "$1" | awk '($4 > 0 || $5 > 0) && $3 > top { top = $3; best = $0 } END { print best }')
  [ -n "$best" ] || return 1
  disk=$1
  # shellcheck disable=SC2086 # the words of the line
  set -- $best
  if [ "$4" -gt 0 ]; then
    names=$(names_of "$3" "$(($4 - 1))" "$5" "$6")
    sfdisk --quiet --no-reread --no-tell-kernel --part-attrs "$disk" "$1" "$names" >/dev/null || return 1
    sync
    echo "initramfs: one try of partition $1 is used up, $(($4 - 1)) left" >&2
  fi
  echo "$1"
}
