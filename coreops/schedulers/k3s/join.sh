# shellcheck shell=sh
# Lets this node join, or be the first. Written here and not by the playbook, because it depends on who is there, and must
# stay as it was when the node met its cluster. Environment: UNIT, MODE (first, join or store), URL, CLUSTER (the hash of
# the cluster's authority, "" when it is not known yet).
folder=${ROOT:-}/etc/rancher/k3s
umask 077
mkdir -p "$folder/config.yaml.d" || exit 2

# put FILE: stdin becomes the file, whole or not at all.
put() {
    cat >"$1.new" && sync "$1.new" && mv "$1.new" "$1" && return
    echo "cannot write $1" >&2
    exit 2
}

case $MODE in
    first) echo 'cluster-init: true' ;;
    join) printf 'server: "%s"\n' "$URL" ;;
    store) echo '# The store is where the servers meet.' ;;
esac | put "$folder/config.yaml.d/10-coreops-join.yaml"
# With it k3s checks, before it shows its token, that it talks to the cluster it is meant to join.
if [ -n "$CLUSTER" ]; then printf '%s\n' "$CLUSTER" | put "$folder/cluster"; else rm -f "$folder/cluster"; fi
[ ! -s "$folder/token.wanted" ] || put "$folder/token" <"$folder/token.wanted"
rm -f "$folder/formed"
: | put "$folder/joined"
systemctl daemon-reload && systemctl enable "$UNIT.service" &&
    systemctl stop "$UNIT.service" && systemctl start --no-block "$UNIT.service"
