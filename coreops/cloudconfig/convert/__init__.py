"""From a cloud-config that was written for coreos-cloudinit to what runs today, with every difference reported.

The steps, each a function of its own file: ``accept`` (what coreos-cloudinit read), ``mend`` (what it made of that),
``modern`` (etcd and fleet), ``fill`` (addresses), then the node model and a target. Pure. Nothing is dropped without
a note or a loss; what nobody can know is an InputError with its place.
"""
