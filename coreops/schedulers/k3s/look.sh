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
cluster_of() { [ ! -r "$1" ] || sed -n '/^K10[0-9a-f]\{64\}::/{s/^K10\([0-9a-f]*\)::.*/\1/p;q;}' "$1"; }

machine=''
[ ! -r "${ROOT:-}/etc/machine-id" ] || read -r machine <"${ROOT:-}/etc/machine-id"
say machine "$machine"
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
# The beginning of a hash: enough to tell two tokens apart, and nothing to join with.
marked() { printf %.12s "$(printf %s "$1" | sha256sum)"; }
mark_of() {
    [ -s "$1" ] || return 0
    IFS= read -r token <"$1" || [ -n "$token" ] # the last line may have no end
    marked "${token##*:}"
}
if [ "$UNIT" = k3s ]; then
    [ ! -d "$data/server/db/etcd/member" ] || say data yes
    say cluster "$(cluster_of "$data/server/token")"
    wanted=$folder/token.wanted
    [ -s "$wanted" ] || wanted=$folder/token
    wanted=$(mark_of "$wanted") holds=$(mark_of "$data/server/token")
    say wanted "$wanted"
    say holds "$holds"
    say used "$(mark_of "$run/token")"
    case $holds in
        "" | "$wanted") ;;
        *)
            known=''
            # One a line: a change that was broken off may have left one that never came into use.
            [ ! -r "$folder/token.before" ] || while read -r line; do
                known="$known $(marked "$line")"
            done <"$folder/token.before"
            case " $known " in *" $holds "*) ;; *) [ -z "$wanted" ] || say token other ;; esac
            ;;
    esac
    agents=$data/server/agent-token
    # A link to the servers' is k3s's way to say that agents have none of their own.
    if [ -r "$agents" ] && [ ! -L "$agents" ]; then
        case $(mark_of "$folder/agent-token") in
            "" | "$(mark_of "$agents")") ;;
            *) say agents other ;;
        esac
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
