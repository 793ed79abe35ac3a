"""Channels: signed repositories of releases, written by a publisher and read by the controller.

The metadata is TUF's (The Update Framework), so that a server, a mirror or somebody on the way can neither alter,
replay, freeze nor mix what is published. ``publish`` writes, ``reader.open_channel`` reads; both by ``trust``.
"""
