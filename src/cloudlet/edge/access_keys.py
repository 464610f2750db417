"""Which access keys are known, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cloudlet.core.kernel.identity import Credential, root
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.edge.root_keys import RootKey

DEFAULT_ACCOUNT: Final = "000000000000"


class KeyRing:
    """The root keys that Cloudlet was given, and the temporary ones that it issued."""

    def __init__(self, root_keys: Iterable[RootKey], tokens: TokenSealer) -> None:
        self._known: Mapping[str, Credential] = {
            key.access_key: Credential(root(key.account, key.access_key), key.secret_key) for key in root_keys
        }
        self._tokens = tokens

    def find(self, access_key: str, token: str | None) -> Credential | None:
        """Return what is known of a key; None for an unknown one or a token that was not issued here."""
        if token is None:
            return self._known.get(access_key)
        try:
            session = self._tokens.open(token)
        except ValueError:
            return None
        if session.principal.access_key != access_key:
            return None
        return Credential(session.principal, self._tokens.derive_secret(access_key), session.expires)
