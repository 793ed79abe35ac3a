# shellcheck shell=sh
# shellcheck disable=SC2034,SC2154 # variables come from slots.sh and go to other scripts
# Which slot boots, where GRUB's gptprio decides: bits in the partition table. N is a slot's partition number.
# sdboot.sh has the same functions for systemd-boot.

# good N: it boots by itself, and goes on doing so.
good_gptprio() { eval "[ \"\$p_$1\" -gt 0 ] && [ \"\$s_$1\" -eq 1 ]"; }

# bootable N: it may boot.
bootable_gptprio() { eval "[ \"\$p_$1\" -gt 0 ] && [ \"\$t_$1\$s_$1\" != 00 ]"; }

# inert N: it does not boot.
inert_gptprio() { set_bits "$1" 0 0 0; }

# try_passive: it boots next, with one try; the booted slot stays good.
try_passive_gptprio() {
  eval "p=\$p_$booted"
  if [ "$p" -eq 15 ]; then # there is no higher one
    set_bits "$passive" 0 0 0
    p=14
    set_bits "$booted" 14 0 1
  fi
  set_bits "$passive" $((p + 1)) 1 0
}

# untry_passive: undoes try_passive of a slot that was good.
untry_passive_gptprio() {
  eval "p=\$p_$booted"
  [ "$p" -gt 1 ] || set_bits "$booted" 2 0 1
  set_bits "$passive" 1 0 1
}

# prefer N OTHER: N is successful, has no tries and a higher priority than the other. N is written once, or after the
# other was moved out of the way without losing its place among what can boot.
prefer_gptprio() {
  eval "p=\$p_$1"
  if [ -n "$2" ]; then
    eval "q=\$p_$2"
    [ "$q" -lt 15 ] || { eval "set_bits \"\$2\" 14 \"\$t_$2\" \"\$s_$2\"" && q=14; }
    [ "$p" -gt "$q" ] || p=$((q + 1))
  fi
  [ "$p" -gt 0 ] || p=1
  set_bits "$1" "$p" 0 1
}

# keep_booted: it is good; its place is not changed.
keep_booted_gptprio() {
  eval "p=\$p_$booted"
  good_gptprio "$booted" || set_bits "$booted" $((p ? p : 1)) 0 1
}

# leave NEW OLD: OLD boots from now on, NEW does not.
leave_gptprio() {
  prefer_gptprio "$2" "$1"
  set_bits "$1" 0 0 0
}

# kernel_of_passive: sets kernel, the file that GRUB boots together with it, if it has one.
kernel_of_passive_gptprio() {
  for each in /boot/flatcar /boot/coreos; do
    [ -d "$each" ] || continue
    where_kernels_are=$each letter=$(letter_of "$passive")
    [ -z "$letter" ] || kernel=$each/vmlinuz-$letter
    [ -z "$letter" ] || [ ! -e "$each/vmlinuz-a" ] || must_have_kernel=yes
    break
  done
}

# kernel_of_booted: sets kernel_here, the file that GRUB has booted; kernel_of_passive comes before it.
kernel_of_booted_gptprio() { kernel_here=$where_kernels_are/vmlinuz-$(letter_of "$booted"); }

say_gptprio() {
  for n in $slots; do
    eval "say slot \"\$n \$p_$n \$t_$n \$s_$n\""
  done
}
