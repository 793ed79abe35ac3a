"""Schedulers: installed on the nodes, joined into a cluster, asked to move work away from a node and to forget it.

The scheduler is an existing engine, never ours. ``protocol`` is what each adapter can do; ``registry`` knows the
adapters by name; ``settings`` reads what the inventory wants; ``hands`` carries out what an adapter says. Adapters are
pure: they make steps and read records, as talks (generators), and run nothing.
"""
