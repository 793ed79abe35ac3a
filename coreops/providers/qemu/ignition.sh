#!/bin/sh
# Ignition: its stages, on a first boot, by the config that QEMU hands over (fw_cfg). The initramfs has changed its root
# for it (init.sh); there is no network yet. Said on the console is only what went wrong: configs have
# secrets.
export PATH=/usr/lib/ignition/bin:/usr/sbin:/usr/bin:/sbin:/bin IGNITION_WRITE_AUTHORIZED_KEYS_FRAGMENT=false
log=/run/ignition.log
(umask 077 && : >$log)
for stage in fetch-offline kargs disks mount files umount; do
  if ! /usr/lib/dracut/modules.d/30ignition/ignition --platform=qemu --root=/ --stage=$stage --log-to-stdout >>$log 2>&1; then
    echo "Ignition, stage $stage:" && grep -a CRITICAL $log
    exit 1
  fi
  if [ -e /run/ignition/neednet ]; then
    echo "Ignition: the config wants something from the network, which is not there yet"
    exit 1
  fi
done
preset=/etc/systemd/system-preset/20-ignition.preset
if [ -e $preset ]; then
  sed -nE 's/^(enable|disable) ([^ ]+).*/\2/p' $preset | xargs -r systemctl preset || exit 1
fi
echo "Ignition has set this machine up"
