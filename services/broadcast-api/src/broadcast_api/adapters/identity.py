"""Everything by which somebody can say who they are."""

import logging
from dataclasses import dataclass

from broadcast_api.adapters.accounts import Accounts
from broadcast_api.adapters.keys import PREFIX, Keys
from broadcast_api.adapters.oidc import BadToken, Provider
from broadcast_api.adapters.sessions import Sessions
from broadcast_api.domain.identity import Principal

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """With a `provider` people sign in there, without one by their local accounts. `secure` cookies: https only."""

    accounts: Accounts
    keys: Keys
    sessions: Sessions
    provider: Provider | None
    session_seconds: float
    secure: bool

    def principal(self, token: str) -> Principal | None:
        """Whose bearer token this is, API key or JWT; None for one that opens nothing."""
        if token.startswith(PREFIX):
            return self.keys.principal(token)
        if self.provider is None:
            return None
        try:
            return self.provider.principal_of_bearer(token)
        except BadToken as error:
            log.warning("token_refused", extra={"why": str(error)})
            return None
