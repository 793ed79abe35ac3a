# shellcheck shell=sh
# Starts the engine, or restarts it. Environment: VERB (start or restart). Ends when it answers.
# containerd as well: containers inherit its limits.
[ "$VERB" = start ] || ! systemctl cat containerd.service >/dev/null 2>&1 || systemctl restart containerd.service || exit 2
systemctl reset-failed docker.service docker.socket 2>/dev/null || :
if ! systemctl start docker.socket || ! systemctl "$VERB" docker.service; then
    journalctl -u docker.service -n 50 --no-pager -o cat | grep -E '^failed to start|^unable to|level=(fatal|error)' | tail -n 1 >&2
    exit 2
fi
curl -sS --max-time 60 -o /dev/null --unix-socket "${SOCKET:-/run/docker.sock}" http://localhost/_ping || exit 2
