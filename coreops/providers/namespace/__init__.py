"""The lab driver ``namespace``: real systemd nodes on one Linux machine, each with its own namespaces and GPT disk.

The pipeline of ``coreops lab up``: recipe -> image -> disk -> network -> launcher (per node) -> inventory. What a lab
owns on the host has names that follow from the lab's name (``names``), so ``lab down`` needs no record to find it.
Knows nothing of transports, engine or playbooks.
"""
