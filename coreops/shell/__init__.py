"""The only place that knows POSIX sh: quoting, compiling segments, the remote loader, frames.

A segment is compiled to calls of functions that the node has already (``prelude.sh``, ``files.sh``, ``contents.sh``);
the loader (``loader.sh``) evaluates it there; ``frames`` reads what comes back. No SSH, no I/O but reading these texts.
"""
