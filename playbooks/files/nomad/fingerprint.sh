#!/bin/sh
# Managed by coreops. Prints one line that changes whenever something changes that Nomad reads when it starts.
# nomad.service stores it at every start, `coreops bootstrap` compares: a difference means a restart is due. The gossip
# key is not in it: Nomad changes that while it runs.
{
    cat /etc/systemd/system/nomad.service /etc/nomad.d/nomad.json /etc/nomad.d/pki/ca.crt /etc/nomad.d/pki/node.crt
    readlink /opt/nomad/current
} | sha256sum | cut -d ' ' -f 1
