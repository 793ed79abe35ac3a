"""The only place that knows POSIX sh: quoting, compiling segments, the remote loader, frames.

A segment is compiled to calls of functions that were sent before (``prelude.sh``, ``files.sh``); the loader
(``loader.sh``) evaluates it on the node; ``frames`` reads what comes back. No SSH, no I/O but reading these scripts.
"""
