#!/bin/sh
# Managed by coreops. Prints one line that changes whenever something changes that Docker reads when it starts.
# docker.service stores it at every start, `coreops bootstrap` compares: a difference means a restart is due.
cat /etc/docker/daemon.json /etc/docker/coreops.env /etc/systemd/system/docker.service.d/10-coreops.conf \
    /etc/systemd/system/containerd.service.d/10-coreops.conf |
    sha256sum | cut -d ' ' -f 1
