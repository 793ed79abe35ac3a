#!/bin/sh
# Managed by coreops. Runs before etcd starts: a member that belonged to a cluster and lost its data must not come back
# empty under its old name. It would vote as if it had never promised anything, and the cluster could lose writes.
if [ -e /etc/etcd/formed ] && [ ! -d "$ETCD_DATA_DIR/member" ]; then
    echo "coreops: $ETCD_DATA_DIR has lost its data; 'coreops bootstrap' replaces this member safely" >&2
    exit 1
fi
sh /etc/etcd/fingerprint.sh >/run/etcd.fingerprint
