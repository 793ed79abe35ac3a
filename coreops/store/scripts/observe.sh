# Says what a node is and what etcd does on it: one "key value" per line. Reads only; always exits 0.
# Who the node is, identity.sh says, which goes before this; and by_gateway of gateway.sh, which asks for status, health
# and members.
# Environment: DATA_DIR CLIENT_PORT PEER_PORT WAIT (seconds to wait for a healthy member; 0: just look).
exec 2>/dev/null
say() { printf '%s %s\n' "$1" "$2"; }
value_of() { # KEY FILE: sets value to the last one there, without quotes. A process less: a slow node is asked often
    value=
    [ -r "$2" ] || return 0
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in "$1="*) value=${line#*=} ;; esac
    done <"$2"
    value=${value#[\"\']}
    value=${value%[\"\']}
}
now() { # sets up: seconds, by a clock that nobody sets
    read -r up _ </proc/uptime
    up=${up%.*}
}
ctl() {
    ETCDCTL_API=3 /opt/etcd/current/etcdctl --cacert=/etc/etcd/pki/ca.crt --cert=/etc/etcd/pki/client.crt \
        --key=/etc/etcd/pki/client.key --endpoints="https://127.0.0.1:$CLIENT_PORT" \
        --dial-timeout=2s --command-timeout=3s -w json "$@"
}
answer() { printf '%s\n' "$said" | sed -n "s/^$1 //p"; }
near() { # sets folder to the nearest one that exists
    folder=$1
    while [ ! -d "$folder" ]; do folder=${folder%/*}; folder=${folder:-/}; done
}
listening() { # TCP ports in state LISTEN, in hexadecimal
    awk '$4 == "0A" { n = split($2, a, ":"); printf "%s ", a[n] }' /proc/net/tcp /proc/net/tcp6
}

say time "$(date +%s.%N)"
say uid "$(id -u)"
say arch "$(uname -m)"
value_of ID /etc/os-release
say os "$value"
value_of VERSION_ID /etc/os-release
say os_version "$value"
# shellcheck disable=SC2046 # words
[ -d /run/systemd/system ] && set -- $(systemctl --version) && say systemd "$2"
near /opt
opt=$folder
near "$DATA_DIR"
df -Pk "$opt" "$folder" | {
    read -r _
    read -r _ _ _ free _ && say free_opt "$free"
    read -r _ _ _ free _ && say free_data "$free"
}
ports=$(listening)
say listening "$ports"

now
deadline=$((up + WAIT))
patient=$((up + (WAIT > 3 ? 3 : WAIT)))
client=$(printf '%04X' "$CLIENT_PORT")
while :; do
    began=$up
    unit=$(systemctl show etcd.service -p LoadState -p ActiveState -p SubState -p FragmentPath -p NRestarts)
    members=
    status=
    health=
    case $unit in *ActiveState=inactive* | *ActiveState=failed*) break ;; esac
    case " $ports" in
        *" $client "*) # asking an etcd that is not there takes etcdctl many seconds
            # One curl, where all is well; what else there is, etcdctl says. It takes from an etcd that is about to be
            # well what that needs itself, so not at once; but a learner answers no health check, ever.
            # shellcheck disable=SC2154 # by_gateway sets it
            if said=$(by_gateway || { case $gateway_said in (*'"isLearner":true'*) echo learner ;; esac; exit 1; }); then
                members=$(answer members)
                status="[{\"Status\":$(answer status)}]"
                health='[{"endpoint":"its own","health":true}]'
            elif [ "$said" = learner ] || [ "$up" -ge "$patient" ] || ! command -v curl >/dev/null; then
                status=$(ctl endpoint status)
                case $status in *'"isLearner":true'*) break ;; esac
                health=$(ctl endpoint health)
                now
                patient=$((up + 3))
            fi
            ;;
    esac
    case $health in *'"health":true'*) break ;; esac
    [ "$began" -lt "$deadline" ] || break
    now
    # A node that needed long for this has other things to do.
    if [ "$up" -gt $((began + 1)) ]; then sleep 2; else sleep 0.3 || sleep 1; fi
    now
    [ "$up" -lt "$deadline" ] || patient=0
    ports=$(listening)
done
set -f
# shellcheck disable=SC2086 # words
set -- $unit
set +f
say unit "$*"
say health "$health"
say status "$status"
[ -n "$status" ] && say members "${members:-$(ctl member list)}"
[ -d "$DATA_DIR/member" ] && say data yes
for other in /var/lib/etcd/member /var/lib/etcd/*/member /var/lib/etcd2/member; do
    [ -d "$other" ] && [ "$other" != "$DATA_DIR/member" ] && say other_data "$other"
done
[ -e /etc/etcd/formed ] && say formed yes
value_of ETCD_INITIAL_CLUSTER_TOKEN /etc/etcd/cluster.env
say token "$value"
value_of ETCD_INITIAL_CLUSTER /etc/etcd/cluster.env
say first "$value"
say release "$(readlink /opt/etcd/current)"
say fingerprint "$(sh /etc/etcd/fingerprint.sh)"
say started_with "$(cat /run/etcd.fingerprint)"
case $unit in
    *ActiveState=failed* | *SubState=auto-restart*)
        journalctl -u etcd.service -n 40 -o cat --no-pager | grep -E '"level":"(error|fatal|panic)"|coreops:|panic:' \
            | tail -n 2 | cut -c1-400 | sed 's/^/log /'
        ;;
esac
exit 0
