"""The ACL tokens of a fake Nomad, as hashicorp/nomad v1.7.7 keeps them:

- nomad/acl_endpoint.go: Bootstrap (takes a secret of the operator's), UpsertTokens (draws accessor and secret itself,
  whatever the request has), DeleteTokens (400 for one that does not exist), ListTokens; all but the first for
  management tokens only
- command/agent/acl_endpoint.go: what of that is HTTP; ``self`` is the token of the request, with its secret
- nomad/structs/acl.go: a management token has no policies, a name at most 256 characters; stubs have no secret
- nomad/acl.go, client/acl.go: a token that nobody knows is refused even where none is needed
"""

from __future__ import annotations

import uuid
from typing import Any

from tests.schedulers.nomad.fake_state import Refused, State

_OPEN = ("/v1/status/leader", "/v1/acl/bootstrap")


class Tokens(State):
    """tokens (of State): the secrets. about: secret -> the rest of the token."""

    presented = ""

    def allow(self, agent: str, path: str, token: str) -> None:
        self.presented = token
        if agent not in self.acl or path in _OPEN:
            return
        if token and token not in self.tokens:
            raise Refused(403, "ACL token not found")
        if not token:
            raise Refused(403, "Permission denied")

    def bootstrap(self, body: Any) -> dict[str, Any]:
        """The leader's."""
        if self.leader not in self.acl:
            raise Refused(400, "ACL support disabled")
        if self.tokens:
            raise Refused(400, "ACL bootstrap already done (reset index: 14)")
        secret = (body or {}).get("BootstrapSecret") or str(uuid.uuid4())
        if str(uuid.UUID(secret)) != secret:
            raise Refused(400, "invalid acl token")
        self.tokens.append(secret)
        return self._token(secret)

    def make_token(self, body: Any) -> dict[str, Any]:
        self._enabled()
        if body.get("AccessorID"):
            raise Refused(400, f"cannot find token {body['AccessorID']}")
        if body["Type"] != "management" or body.get("Policies") or len(body["Name"]) > 256:
            raise Refused(400, "token 0 invalid")
        secret = str(uuid.uuid4())
        self.tokens.append(secret)
        self._token(secret).update(Name=body["Name"], Global=bool(body.get("Global")))
        return self._token(secret)

    def own_token(self) -> dict[str, Any]:
        self._enabled()
        return self._token(self.presented)

    def token_stubs(self) -> list[dict[str, Any]]:
        self._enabled()
        return [{key: each for key, each in self._token(one).items() if key != "SecretID"} for one in self.tokens]

    def remove_token(self, accessor: str) -> None:
        self._enabled()
        found = [secret for secret in self.tokens if self._token(secret)["AccessorID"] == accessor]
        if not found:
            raise Refused(400, f"Cannot delete nonexistent tokens: {accessor}")
        self.tokens.remove(found[0])

    def _enabled(self) -> None:
        if self.leader not in self.acl:
            raise Refused(400, "ACL support disabled")

    def _token(self, secret: str) -> dict[str, Any]:
        accessor = str(uuid.uuid5(uuid.NAMESPACE_OID, secret))
        made = {"AccessorID": accessor, "SecretID": secret, "Name": "Bootstrap Token", "Type": "management"}
        return self.about.setdefault(secret, {**made, "Policies": None, "Global": True})
