"""Drain: move the work away from a node before it goes down, and bring back exactly that work afterwards.

``protocol`` says what an adapter can do, ``units`` is the one for plain systemd units, ``survey`` tells how a node
stands. Makes steps and reads records; runs nothing.
"""
