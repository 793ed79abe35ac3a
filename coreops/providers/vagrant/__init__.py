"""Labs on Vagrant: what ``vagrant/lab.yml`` says, and the box of coreops's own guest for vagrant-libvirt."""
