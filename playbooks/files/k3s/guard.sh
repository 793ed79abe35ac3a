#!/bin/sh
# Managed by coreops. Runs before k3s starts: guard.sh BIN embedded|elsewhere (where the cluster's data is).
folder=${ROOT:-}/etc/rancher/k3s
run=${ROOT:-}/run/coreops-k3s

# A server that had a member of k3s's etcd and lost its data must not come back empty: as the first one it would found a
# second cluster beside the one that lives.
if [ "$2" = embedded ] && [ -e "$folder/formed" ] && [ ! -d "${ROOT:-}/var/lib/rancher/k3s/server/db/etcd/member" ]; then
    echo "coreops: k3s has lost its data; 'coreops bootstrap' lets this node join again" >&2
    exit 1
fi
if [ ! -e "$folder/joined" ]; then
    echo "coreops: this node has not joined yet; 'coreops bootstrap' lets it" >&2
    exit 1
fi

umask 077
mkdir -p "$run" || exit 1
# The token in k3s's long form names the cluster: k3s then shows it to no other one.
token=$(cat "$folder/token") || exit 1
if [ -s "$folder/cluster" ]; then
    user=node
    [ ! -e "$folder/agent-token" ] || user=server
    token=K10$(cat "$folder/cluster")::$user:$token
fi
printf '%s' "$token" >"$run/token.new" && mv "$run/token.new" "$run/token" || exit 1
version=$("$1/k3s" --version | sed -n 's/^k3s version \([^ ]*\).*/\1/p')
echo "$(sh "$folder/fingerprint.sh" "$1") $version" >"$run/started"
