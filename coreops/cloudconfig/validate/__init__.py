"""Judges user-data that is written in CoreOS' cloud-config before a machine is: every finding with file, line, column.

Works on bytes in memory; knows nothing of the node model and of targets, so that files written by hand for years can
be judged as they are. A rule is a function in the table ``rules.RULES``.
"""
