# shellcheck shell=sh
# How k3s is on this node: lines "key value", and from a server that answers the line "nodes JSON". Packed, because that
# line is long. Environment: UNIT (k3s or k3s-agent: what shall run here), BIN.
set -f
nl='
'
folder=${ROOT:-}/etc/rancher/k3s
data=${ROOT:-}/var/lib/rancher/k3s
run=${ROOT:-}/run/coreops-k3s
units=${ROOT:-}/etc/systemd/system
BIN=${ROOT:-}$BIN
other=k3s-agent
[ "$UNIT" = k3s ] || other=k3s

said=''
say() { said="$said$1 $2$nl"; }

# The cluster of a token in its long form: the hash of the cluster's authority.
cluster_of() { sed -n 's/^K10\([0-9a-f]\{64\}\)::.*/\1/p' "$1" 2>/dev/null | head -n 1; }

say machine "$(cat "${ROOT:-}/etc/machine-id" 2>/dev/null)"
if [ -x "$BIN/k3s" ]; then
    say installed "$("$BIN/k3s" --version 2>/dev/null | sed -n 's/^k3s version \([^ ]*\).*/\1/p')"
fi
[ ! -e "$units/$other.service" ] || say other "$other"
if [ -e "$units/$UNIT.service" ]; then
    grep -q '^# Managed by coreops' "$units/$UNIT.service" || say foreign "$UNIT"
    said=$said$(systemctl show -p ActiveState -p NRestarts -- "$UNIT.service" |
        sed -n 's/^ActiveState=/active /p; s/^NRestarts=/restarts /p')$nl
fi
if [ -r "$run/started" ] && [ -r "$folder/fingerprint.sh" ]; then
    read -r fingerprint version <"$run/started"
    say running "$version"
    [ "$fingerprint" = "$(sh "$folder/fingerprint.sh" "$BIN")" ] || say stale yes
fi
[ ! -e "$folder/formed" ] || say formed yes
[ ! -e "$folder/joined" ] || say joined yes
if [ "$UNIT" = k3s ]; then
    [ ! -d "$data/server/db/etcd/member" ] || say data yes
    say cluster "$(cluster_of "$data/server/token")"
    if [ -r "$data/server/token" ] && [ -r "$folder/token" ]; then
        # Compared here: neither of them leaves the node.
        [ "$(sed 's/.*://' "$data/server/token")" = "$(sed 's/.*://' "$folder/token")" ] || say token other
    fi
else
    if [ "$(grep -c 'BEGIN CERTIFICATE' "$data/agent/server-ca.crt" 2>/dev/null)" = 1 ]; then
        say cluster "$(sha256sum <"$data/agent/server-ca.crt" | cut -d ' ' -f 1)"
    elif [ -e "$data/agent/server-ca.crt" ]; then
        # An authority of several certificates: what k3s hashes of it is not the file.
        say cluster "$(cat "$folder/cluster" 2>/dev/null)"
    fi
    [ ! -e "$data/agent/client-kubelet.crt" ] || say data yes
fi
[ ! -e "${ROOT:-}/etc/rancher/node/password" ] || say password yes
probe=$BIN
while [ -n "$probe" ] && [ ! -e "$probe" ]; do probe=${probe%/*}; done
[ -w "${probe:-/}" ] || say readonly "$BIN"
case $said in
    *"active active"*)
        # k3s repeats this, and nothing else, for as long as its name belongs to another password.
        case $(journalctl -u "$UNIT.service" -n 1 -o cat --no-pager 2>/dev/null) in
            *'Node password rejected'*) say rejected yes ;;
        esac
        if [ "$UNIT" = k3s ]; then
            nodes=$("$BIN/k3s" kubectl --request-timeout=10s get --raw /api/v1/nodes 2>/dev/null) && say nodes "$nodes"
        fi
        ;;
    *"active activating"* | *"active failed"*)
        say fatal "$(journalctl -u "$UNIT.service" -n 200 -o cat --no-pager 2>/dev/null |
            sed -n 's/.*level=fatal msg="\(.*\)"[^"]*$/\1/p' | tail -n 1)"
        ;;
esac
printf '%s' "$said" | gzip -c
