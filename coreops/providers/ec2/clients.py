"""AWS clients, one per service and region, with back-off. Loads boto3 when the first is asked for.

Credentials come from where every AWS tool finds them; coreops has no setting for them and keeps none.
"""

from __future__ import annotations

import threading
from typing import Any

from coreops.errors import InputError

ATTEMPTS = 10
FEW = 2
"""For a region that boto3 does not know: it may be new, but mostly it is a typing error, and nobody will answer."""
_POOL = 32


def known_regions(session: Any) -> set[str]:
    """The regions that this boto3 knows."""
    return {name for part in session.get_available_partitions() for name in session.get_available_regions("ec2", part)}


class Clients:
    """boto3 clients. They may be used by many threads; making them may not, so that is done under a lock."""

    def __init__(self, endpoint: str | None = None) -> None:
        """endpoint: instead of AWS's own, for tests; AWS_ENDPOINT_URL does the same for everybody."""
        self._endpoint = endpoint
        self._made: dict[tuple[str, str], Any] = {}
        self._session: Any = None
        self._regions: set[str] = set()
        self._lock = threading.Lock()

    def of(self, service: str, region: str) -> Any:
        """The client of a service (``ec2``, ``ssm``) in a region. Raises InputError when boto3 is not installed."""
        with self._lock:
            if (service, region) not in self._made:
                self._made[service, region] = self._make(service, region)
            return self._made[service, region]

    def _make(self, service: str, region: str) -> Any:
        try:
            import boto3
            from botocore.config import Config
        except ImportError as error:
            raise InputError("provider ec2 needs boto3", why=str(error), next="pip install 'coreops[ec2]'") from error
        # Adaptive: slows down when AWS says so, over all calls of the client. A call that is sent again is safe, for
        # whatever makes something carries a client token or a name.
        if self._session is None:
            self._session = boto3.session.Session()
            self._regions = known_regions(self._session)
        attempts = ATTEMPTS if region in self._regions else FEW
        config = Config(
            retries={"mode": "adaptive", "total_max_attempts": attempts},
            connect_timeout=10,
            read_timeout=60,
            max_pool_connections=_POOL,
            user_agent_extra="coreops",
        )
        return self._session.client(service, region_name=region, config=config, endpoint_url=self._endpoint)
