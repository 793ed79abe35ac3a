# shellcheck shell=sh
# How is the engine on this node? Changes nothing, and does not wake an engine that rests.
# Prints facts "NAME VALUE" (age: seconds that the engine has run; now: the node's clock), a line "=", and then, when the engine runs, answers of its API, each followed by a line
# "= NAME STATUS". "certificate" is the node's own, which names its swarm and has no secret in it.
socket=${SOCKET:-/run/docker.sock}
ask() { curl -sS --max-time 30 --unix-socket "$socket" -w "\n= $1 %{http_code}\n" "http://localhost$2" || exit 2; }

systemctl cat docker.service >/dev/null 2>&1 || {
    printf 'engine absent\n=\n'
    exit 0
}
shown=$(systemctl show -p ActiveState -p ExecMainStartTimestampMonotonic docker.service)
state=$(printf '%s\n' "$shown" | sed -n 's/^ActiveState=//p')
started=$(printf '%s\n' "$shown" | sed -n 's/^ExecMainStartTimestampMonotonic=//p')
read -r up _ </proc/uptime
echo "engine $state"
echo "age $((${up%.*} - ${started:-0} / 1000000))"
echo "now $(date +%s)"
data=$(sed -n 's/.*"data-root": *"\([^"]*\)".*/\1/p' /etc/docker/daemon.json 2>/dev/null)
if [ -e /etc/docker/coreops-fingerprint.sh ]; then
    [ "$(sh /etc/docker/coreops-fingerprint.sh)" = "$(cat /run/coreops-docker.sum 2>/dev/null)" ] || echo "stale yes"
fi
echo '='
certificate=${data:-/var/lib/docker}/swarm/certificates/swarm-node.crt
if [ -r "$certificate" ]; then
    sed '/-END CERTIFICATE-/q' "$certificate"
    printf '\n= certificate 200\n'
fi
[ "$state" = active ] || exit 0
info=$(ask info /info) || exit 2
printf '%s\n' "$info"
ask tasks '/containers/json?filters=%7B%22label%22%3A%5B%22com.docker.swarm.task.id%22%5D%7D'
case $info in
    *'"ControlAvailable":true'*)
        ask nodes /nodes
        ask swarm /swarm
        ;;
esac
