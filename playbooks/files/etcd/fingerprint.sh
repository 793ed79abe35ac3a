#!/bin/sh
# Managed by coreops. Prints one line that changes whenever something changes that etcd reads when it starts.
# etcd.service stores it at every start, `coreops bootstrap` compares: a difference means a restart is due.
{
    cat /etc/systemd/system/etcd.service /etc/etcd/etcd.env /etc/etcd/pki/ca.crt /etc/etcd/pki/member.crt
    readlink /opt/etcd/current
} | sha256sum | cut -d ' ' -f 1
