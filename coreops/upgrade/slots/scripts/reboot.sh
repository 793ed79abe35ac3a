# shellcheck shell=sh
# Accepts the order to reboot: the reboot begins when this shell has answered. Asked again meanwhile, it is one reboot.
said=$(systemd-run --quiet --collect --no-block --unit=coreops-reboot --on-active=200ms \
  --timer-property=AccuracySec=10ms -- systemctl reboot 2>&1) && exit 0
systemctl is-active --quiet coreops-reboot.timer coreops-reboot.service && exit 0
printf 'systemd would not reboot: %s\n' "$said" >&2
exit 2
