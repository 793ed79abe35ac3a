#!/bin/busybox sh
# shellcheck shell=dash
# The initramfs's init: finds the slot, mounts ROOT at / and the slot read-only at /usr, and hands over to systemd.
#
# coreops.usr=PARTUUID=...  the slot that the boot manager chose
# coreops.usr=gptprio       choose by the bits in the partition table, see gptprio.sh
# Where that cannot be done the machine starts again, so that the firmware's count of tries comes into play.
# /run/slot-on-trial is there when the slot has not been marked good yet; see slot-trial.sh.
export PATH=/bin

say() { echo "initramfs: $*"; }
again() {
  say "$*; starting again"
  # Long enough to be read, and that a machine with no good slot does not spin.
  sleep 2
  reboot -f
}

/bin/busybox --install -s /bin
# shellcheck source=/dev/null
. /gptprio.sh
mkdir -p /dev /proc /sys /sysroot
mount -t devtmpfs dev /dev
mount -t proc proc /proc
mount -t sysfs sys /sys
while read -r module; do
  insmod "/modules/$module" || say "cannot load $module"
done </modules/order

read -r cmdline </proc/cmdline
wanted=''
for word in $cmdline; do
  case $word in
    coreops.usr=*) wanted=${word#coreops.usr=} ;;
  esac
done

# find_disk: sets root and disk, from the first partition called ROOT.
find_disk() {
  for event in /sys/class/block/*/uevent; do
    if grep -qx PARTNAME=ROOT "$event"; then
      root=${event%/uevent} disk=$(readlink -f "${event%/uevent}")
      root=/dev/${root##*/} disk=${disk%/*}
      disk=/dev/${disk##*/}
      return
    fi
  done
  return 1
}

tries=0
until find_disk; do
  # The disk appears a moment after its driver.
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || again "no partition is called ROOT"
  sleep 0.1
done

case $wanted in
  gptprio) number=$(choose "$disk") || again "no bootable slot (one needs a priority, and tries or success)" ;;
  PARTUUID=*)
    uuid=$(echo "${wanted#PARTUUID=}" | tr '[:lower:]' '[:upper:]')
    number=$(slots "$disk" | awk -v uuid="$uuid" '$2 == uuid { print $1 }')
    [ -n "$number" ] || again "no slot has $wanted"
    ;;
  *) again "the kernel's command line names no slot (coreops.usr=)" ;;
esac
usr=${root%"${root##*[!0-9]}"}$number
on_trial=''
[ "$wanted" != gptprio ] || on_trial=$(slots "$disk" | awk -v number="$number" '$1 == number && $5 == 0')
say "booting partition $number"

mount -t ext4 -o rw,noatime "$root" /sysroot || again "cannot mount ROOT"
seed=/sys/firmware/qemu_fw_cfg/by_name/opt/coreops/seed/raw
is_first=''
if [ ! -s /sysroot/etc/machine-id ]; then
  is_first=yes
  if [ -e "$seed" ]; then
    say "first boot: applying the seed"
    # The machine-id comes last in it, so that a power cut on the way repeats all of it.
    tar -x -C /sysroot <"$seed" || again "cannot apply the seed"
  fi
fi
mount -t squashfs -o ro "$usr" /sysroot/usr || again "cannot mount $usr at /usr"
[ -x /sysroot/usr/lib/systemd/systemd ] || again "$usr has no systemd"

# Here and not by systemd, which would give the boot up when its udev is late. No slot is worse off without it.
esp=''
for event in /sys/class/block/"${disk#/dev/}"*/uevent; do
  if grep -qx PARTNAME=EFI-SYSTEM "$event"; then
    esp=${event%/uevent}
    esp=/dev/${esp##*/}
  fi
done
mount -t vfat -o umask=0077,noatime "$esp" /sysroot/boot || say "cannot mount EFI-SYSTEM at /boot"

# An entry with a count is one of a slot that nobody has marked good.
[ "$wanted" = gptprio ] || on_trial=$(grep -ils "${wanted#PARTUUID=}" /sysroot/boot/loader/entries/*+*.conf)
mkdir -p /run
mount -t tmpfs -o mode=0755,nosuid,nodev run /run
if [ -n "$on_trial" ]; then
  say "the slot is on trial"
  : >/run/slot-on-trial
fi

if [ -n "$is_first" ]; then
  if [ -e /sys/firmware/qemu_fw_cfg/by_name/opt/com.coreos/config ]; then
    say "first boot: setting the machine up"
    for each in dev proc sys run; do
      mount --bind "/$each" "/sysroot/$each"
    done
    chroot /sysroot /usr/lib/first-boot || again "the machine could not be set up"
    for each in dev proc sys run; do
      umount "/sysroot/$each"
    done
  fi
  # Last: until it is there, all of this is done again.
  [ -s /sysroot/etc/machine-id ] || tr -d - </proc/sys/kernel/random/uuid >/sysroot/etc/machine-id
  sync
fi

for each in dev proc sys run; do
  mount --move "/$each" "/sysroot/$each"
done
exec switch_root /sysroot /usr/lib/systemd/systemd
