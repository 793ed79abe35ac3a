#!/bin/sh
# In the guest, when its slot is on trial (init.sh): ends when sshd answers on loopback. systemd gives it a while, and
# then starts the machine again: by the firmware's count of tries the old slot boots.
echo "the slot is on trial until sshd answers"
until ssh-keyscan -T 10 -t ed25519 127.0.0.1 2>/dev/null | grep -q .; do
  sleep 2
done
