"""One typed node model, and the user-data of every target and platform made of it.

Guarantees: the same input gives the same bytes; what a target cannot express is reported key by key. Pure: reads the
files it is given, opens no connection and starts no program. Importing this package loads nothing heavy.
"""
