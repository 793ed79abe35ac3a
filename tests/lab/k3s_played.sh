#!/bin/sh
# Plays k3s on the nodes of a lab, for servers that meet in the store: what it is told by files it takes from the files
# that k3s would, and the nodes are kept in the real etcd, which it reaches as k3s would. Not Kubernetes.
config=/etc/rancher/k3s/config.yaml
data=/var/lib/rancher/k3s
option() { sed -n "s/^$1: '*\([^']*\)'*$/\1/p" "$config"; }
store() {
    ETCDCTL_API=3 /opt/etcd/current/etcdctl --endpoints "$(option datastore-endpoint)" --cacert "$(option datastore-cafile)" \
        --cert "$(option datastore-certfile)" --key "$(option datastore-keyfile)" "$@"
}

case $1 in
    --version) echo 'k3s version v1.32.4+k3s1 (played)' ;;
    server)
        trap 'exit 0' TERM
        secret=$(sed 's/.*://' "$(option token-file)")
        sum=$(printf %s "$secret" | sha256sum | cut -d ' ' -f 1)
        known=$(store get /played/bootstrap --print-value-only) || exit 1
        if [ -z "$known" ]; then
            store put /played/bootstrap "$sum" >/dev/null || exit 1
        elif [ "$known" != "$sum" ]; then
            echo 'time="now" level=fatal msg="bootstrap data already found and encrypted with different token"'
            exit 1
        fi
        mkdir -p "$data/server" && chmod 0700 "$data/server"
        ca=$(printf authority | sha256sum | cut -d ' ' -f 1)
        printf 'K10%s::server:%s\n' "$ca" "$secret" >"$data/server/token"
        printf 'K10%s::node:%s\n' "$ca" "$(cat "$(option agent-token-file)")" >"$data/server/agent-token"
        name=$(option node-name)
        store put "/played/nodes/$name" "{\"metadata\":{\"name\":\"$name\",\"resourceVersion\":\"1\",\"labels\":\
{\"node-role.kubernetes.io/control-plane\":\"true\"}},\"spec\":{},\"status\":{\"conditions\":[{\"type\":\"Ready\",\
\"status\":\"True\"}],\"nodeInfo\":{\"kubeletVersion\":\"v1.32.4+k3s1\",\"machineID\":\"$(cat /etc/machine-id)\"}}}" \
            >/dev/null || exit 1
        systemd-notify --ready
        while :; do sleep 1 & wait $!; done
        ;;
    kubectl)
        shift
        # The real one, where a test has brought it; with the API that it is told.
        [ ! -x /opt/bin/kubectl ] || exec /opt/bin/kubectl "$@"
        for path; do :; done
        case $path in
            */nodes*) items=$(store get --prefix /played/nodes/ --print-value-only | paste -s -d ,) ;;
            *) items='' ;;
        esac
        printf '{"items":[%s]}' "$items"
        ;;
    *) exit 64 ;;
esac
