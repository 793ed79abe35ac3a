"""Who a machine is: its machine-id, MAC addresses, host name and host keys, and whether two are one.

``identity.sh`` asks a machine, ``identity`` reads the answer, ``twins`` compares machines that answered, ``written``
compares what an inventory says of them. Pure, and knows no connection.
"""
