"""Machines come into being here: one protocol, a registry of who speaks it, and a package or module a provider.

``namespace`` boots the nodes of local labs, which have commands of their own.
"""
