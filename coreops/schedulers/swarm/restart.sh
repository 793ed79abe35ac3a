# shellcheck shell=sh
# Starts the engine, or restarts it. Environment: VERB (start, restart, or revive: with GAP seconds in which it is off).
# Ends when it answers.
if [ "$VERB" = revive ]; then
    # An agent that tries in vain says so every few seconds.
    said=$(journalctl -u docker.service --since=-30s --no-pager -o cat | grep 'agent: session failed' | tail -n 1)
    if [ -n "$said" ]; then
        printf 'the swarm calls it down, as its agent cannot reach the managers: %s\n' "$said" >&2
        exit 2
    fi
    systemctl stop docker.socket docker.service || exit 2
    sleep "$GAP"
    VERB=start
fi
# containerd as well: containers inherit its limits.
[ "$VERB" = start ] || ! systemctl cat containerd.service >/dev/null 2>&1 || systemctl restart containerd.service || exit 2
systemctl reset-failed docker.service docker.socket 2>/dev/null || :
if ! systemctl start docker.socket || ! systemctl "$VERB" docker.service; then
    journalctl -u docker.service -n 50 --no-pager -o cat | grep -E '^failed to start|^unable to|level=(fatal|error)' | tail -n 1 >&2
    exit 2
fi
curl -sS --max-time 60 -o /dev/null --unix-socket "${SOCKET:-/run/docker.sock}" http://localhost/_ping || exit 2
