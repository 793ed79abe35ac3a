"""``coreops serve-config``: rendered user-data over HTTP, to each machine its own.

Guarantees: no file is opened because of a request; what is served once is served to one peer once, also across a crash;
neither content nor a token is in any log. ``identity``, ``machines``, ``request``, ``pages`` and ``answer`` are pure.
"""
