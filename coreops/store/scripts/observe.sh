# Says what a node is and what etcd does on it: one "key value" per line. Reads only; always exits 0.
# Who the node is, identity.sh says, which goes before this.
# Environment: DATA_DIR CLIENT_PORT PEER_PORT WAIT (seconds to wait for a healthy member; 0: just look).
exec 2>/dev/null
say() { printf '%s %s\n' "$1" "$2"; }
release() { sed -n "s/^$1=//p" /etc/os-release | head -n 1 | tr -d "\"'"; }
ctl() {
    ETCDCTL_API=3 /opt/etcd/current/etcdctl --cacert=/etc/etcd/pki/ca.crt --cert=/etc/etcd/pki/client.crt \
        --key=/etc/etcd/pki/client.key --endpoints="https://127.0.0.1:$CLIENT_PORT" \
        --dial-timeout=2s --command-timeout=3s -w json "$@"
}
free_kib() { # of the nearest folder that exists
    folder=$1
    while [ ! -d "$folder" ]; do folder=${folder%/*}; folder=${folder:-/}; done
    df -Pk "$folder" | awk 'NR == 2 { print $4 }'
}
listening() { # TCP ports in state LISTEN, in hexadecimal
    cat /proc/net/tcp /proc/net/tcp6 | awk '$4 == "0A" { n = split($2, a, ":"); printf "%s ", a[n] }'
}

say time "$(date +%s.%N)"
say uid "$(id -u)"
say arch "$(uname -m)"
say os "$(release ID)"
say os_version "$(release VERSION_ID)"
[ -d /run/systemd/system ] && say systemd "$(systemctl --version | awk 'NR == 1 { print $2 }')"
say free_opt "$(free_kib /opt)"
say free_data "$(free_kib "$DATA_DIR")"
say listening "$(listening)"

deadline=$(($(date +%s) + WAIT))
client=$(printf '%04X' "$CLIENT_PORT")
while :; do
    unit=$(systemctl show etcd.service -p LoadState -p ActiveState -p SubState -p FragmentPath -p NRestarts)
    status=
    health=
    case $unit in *ActiveState=inactive* | *ActiveState=failed*) break ;; esac
    case " $(listening)" in
        *" $client "*) # asking an etcd that is not there takes etcdctl many seconds
            status=$(ctl endpoint status)
            case $status in *'"isLearner":true'*) break ;; esac # a learner answers no health check
            health=$(ctl endpoint health)
            ;;
    esac
    case $health in *'"health":true'*) break ;; esac
    [ "$(date +%s)" -lt "$deadline" ] || break
    sleep 0.3 || sleep 1
done
say unit "$(printf '%s' "$unit" | tr '\n' ' ')"
say health "$health"
say status "$status"
[ -n "$status" ] && say members "$(ctl member list)"
[ -d "$DATA_DIR/member" ] && say data yes
for other in /var/lib/etcd/member /var/lib/etcd/*/member /var/lib/etcd2/member; do
    [ -d "$other" ] && [ "$other" != "$DATA_DIR/member" ] && say other_data "$other"
done
[ -e /etc/etcd/formed ] && say formed yes
say token "$(sed -n 's/^ETCD_INITIAL_CLUSTER_TOKEN=//p' /etc/etcd/cluster.env | tr -d '"')"
say first "$(sed -n 's/^ETCD_INITIAL_CLUSTER=//p' /etc/etcd/cluster.env | tr -d '"')"
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
