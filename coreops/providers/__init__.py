"""Boot nodes. So far one provider: ``namespace``, real systemd nodes on GPT disks in namespaces of this machine."""
