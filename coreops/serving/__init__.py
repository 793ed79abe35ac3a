"""What the commands that serve HTTP share: a server with limits, TLS, an audit log, signals. Knows no pages.

A ``Service`` says what is answered; ``server`` brings it the request and takes back how it went. ``listen`` is pure.
"""
