# shellcheck shell=sh
# What a node has of fleet. Environment: CONF, PKI (client certificate of etcd, if it is there), STORE
# (a client certificate that etcd's own members have), SERVERS (etcd's client URLs, one a line), STARTED.
# One observation a line: a word, a blank, what was found.
echo "uid $(id -u)"
[ -r /etc/machine-id ] && read -r id </etc/machine-id && echo "machine $id"
program=''
for path in /opt/fleet/current/fleetd /usr/bin/fleetd; do
    [ -x "$path" ] || continue
    program=$path
    echo "program $program"
    echo "version $("$program" --version 2>/dev/null | sed -n 's/^fleetd version //p')"
    break
done
command -v curl >/dev/null || echo 'curl missing'
for unit in fleet.service fleet.socket; do
    fragment=$(systemctl show -p FragmentPath "$unit")
    state=$(systemctl show -p ActiveState "$unit")
    echo "unit $unit ${state#*=} ${fragment#*=}"
done
# fleetd was started with something else than what is installed now. STARTED: what it was started with.
now=$(cat "$CONF" "$PKI"/*.crt 2>/dev/null)
if [ ! -r "$STARTED" ] || [ "$now" != "$(cat "$STARTED")" ]; then echo 'stale settings'; fi
pid=$(systemctl show -p MainPID fleet.service)
pid=${pid#*=}
if [ "${pid:-0}" != 0 ] && [ -n "$program" ]; then
    runs=$(readlink "/proc/$pid/exe") && [ "$runs" != "$(readlink -f "$program")" ] && echo 'stale program'
fi
if [ -r "$CONF" ]; then
    head -n 1 "$CONF" | grep -q coreops && echo 'managed yes'
    sed -n 's/^[[:space:]]*etcd_servers[[:space:]]*=/servers /p; s/^[[:space:]]*etcd_key_prefix[[:space:]]*=/prefix /p' "$CONF"
fi
# The environment, which cloud-config sets, wins over the file.
environment=$(systemctl show -p Environment fleet.service)
set -f
for word in ${environment#*=}; do
    case $word in FLEET_ETCD_SERVERS=*) echo "servers ${word#*=}" ;; esac
done
set +f
certificate=''
for folder in "$PKI" "$STORE"; do
    [ -r "$folder/client.key" ] && certificate=$folder && break
done
set -f
for server in $SERVERS; do
    case $server in
        https://*)
            [ -n "$certificate" ] || continue
            set -- --cacert "$certificate/ca.crt" --cert "$certificate/client.crt" --key "$certificate/client.key"
            ;;
        *) set -- ;;
    esac
    version=$(curl --silent --max-time 5 "$@" "$server/version") || continue
    [ -n "$version" ] || continue
    echo "etcd $version"
    echo "v2 $(curl --silent --max-time 5 --output /dev/null --write-out '%{http_code}' "$@" "$server/v2/keys/")"
    break
done
