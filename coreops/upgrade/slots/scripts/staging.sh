# shellcheck shell=sh
# shellcheck disable=SC2154 # variables come from slots.sh and from the environment
# What the steps of a transfer share. Environment: SHA256 (of the image file) VERSION CODEC FRAME USR_SIZE KERNEL_SIZE
# KERNEL_SHA256.
# $folder/staging says how far it is, "SHA256 SLOT FRAMES .": so many frames are on the disk; the dot ends it.

# begin_staging: both slots are as they must be for the passive one to be written.
begin_staging() {
  find_slots
  require_passive
  require_good_booted
  case $(ticket_says stage):$(ticket_says slot) in
    good:* | ':' | activated:"$label_of_booted") ;;
    *) fail "an upgrade of this node is under way (its ticket says: $(ticket_says stage)): finish it first (coreops resume)" ;;
  esac
  [ "$size_of_passive" -ge "$USR_SIZE" ] \
    || fail "the release does not fit: it needs $USR_SIZE bytes, the passive slot $label_of_passive has $size_of_passive"
  find_kernel
}

# find_kernel: sets kernel, the file that boots together with the passive slot; an image has one where nodes have.
find_kernel() {
  kernel='' where_kernels_are='/boot/flatcar or /boot/coreos' must_have_kernel=''
  "kernel_of_passive_$kind"
  if [ "$KERNEL_SIZE" -gt 0 ]; then
    [ -n "$kernel" ] || fail "the image carries a kernel, but this node boots none from $where_kernels_are"
    old=$(stat -c %s "$kernel.new" 2>/dev/null) || old=0
    free=$(df -Pk "$where_kernels_are" | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p')
    [ $((free + old / 1024)) -gt $((KERNEL_SIZE / 1024)) ] \
      || fail "$where_kernels_are has $free KiB left, the release's kernel needs $((KERNEL_SIZE / 1024)) KiB: free some"
  elif [ -n "$must_have_kernel" ]; then
    fail "this node boots its kernel from $where_kernels_are, and the image has none: publish it with --kernel"
  fi
}

# find_kernel_here: sets kernel_here, the file of the running slot's kernel, where that is the release's.
find_kernel_here() {
  kernel_here=''
  [ "$KERNEL_SIZE" -gt 0 ] || return 0
  "kernel_of_booted_$kind"
  [ "$(stat -c %s "$kernel_here" 2>/dev/null)" = "$KERNEL_SIZE" ] || kernel_here=''
  [ -z "$kernel_here" ] || [ "$(digest <"$kernel_here")" = "$KERNEL_SHA256" ] || kernel_here=''
}

# frames_done: how many frames of this image are safely in the passive slot.
frames_done() {
  sha='' slot='' frames='' dot=''
  [ ! -r "$folder/staging" ] || read -r sha slot frames dot <"$folder/staging"
  if [ "$sha $slot $dot" = "$SHA256 $label_of_passive ." ]; then echo "$frames"; else echo 0; fi
}

# take_lock: one writer at a time. The last one may hang in a connection that is lost: then it is ended, with all it runs.
take_lock() {
  read -r line </proc/$$/stat
  # shellcheck disable=SC2086 # words: state, parent, process group
  set -- ${line##*) }
  own=$3
  exec 9>>"$folder/staging.lock" || fail "cannot write to $folder: is the disk full?"
  if ! flock -n 9; then
    read -r other <"$folder/staging.holder"
    [ -z "$other" ] || [ "$other" = "$own" ] || kill -KILL "-$other" 2>/dev/null
    flock -w 10 9 || fail "another transfer to this node is under way and cannot be ended: look at its processes"
  fi
  echo "$own" >"$folder/staging.holder"
  stand_back
}

# stand_back: what else the node does comes first; nobody waits for its image.
stand_back() {
  renice -n 10 -p $$ >/dev/null 2>&1
  ionice -c 2 -n 7 -p $$ 2>/dev/null
  :
}
