"""The provider ``command``: a program of the operator's, one JSON object in and one out for each verb.

``wire`` is what is said, pure; ``program`` runs the program; ``provider`` makes a provider of both. The program's
author reads docs/writing-a-provider.md.
"""

from coreops.providers.command.provider import connect

__all__ = ["connect"]
