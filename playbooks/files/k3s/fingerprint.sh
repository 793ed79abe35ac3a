#!/bin/sh
# Managed by coreops. Prints one line that changes whenever something changes that k3s reads when it starts. The unit
# stores it at every start, `coreops bootstrap` compares: a difference means a restart is due. $1: the folder of k3s.
folder=${ROOT:-}/etc/rancher/k3s
bin=$1
set --
for file in "$folder"/config.yaml "$folder"/config.yaml.d/*.yaml "$folder"/token "$folder"/agent-token \
    "$folder"/cluster "$folder"/store.crt "$folder"/store-ca.crt "$folder"/guard.sh \
    "${ROOT:-}"/etc/systemd/system/k3s.service "${ROOT:-}"/etc/systemd/system/k3s-agent.service; do
    [ ! -r "$file" ] || set -- "$@" "$file"
done
{
    [ $# = 0 ] || cat "$@"
    readlink "$bin/k3s"
} | sha256sum | cut -d ' ' -f 1
