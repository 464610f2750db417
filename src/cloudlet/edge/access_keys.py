"""Which access keys are known, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cloudlet.core.authorization.sources import PermissionSource
from cloudlet.core.kernel.identity import Credential, root
from cloudlet.core.kernel.tokens import TokenSealer
from cloudlet.edge.root_keys import RootKey

DEFAULT_ACCOUNT: Final = "000000000000"


class KeyRing:
    """Root keys that Cloudlet was given, IAM's long-term keys, and temporary ones."""

    def __init__(self, root_keys: Iterable[RootKey], tokens: TokenSealer, permissions: PermissionSource) -> None:
        self._known: Mapping[str, Credential] = {
            key.access_key: Credential(root(key.account, key.access_key), key.secret_key) for key in root_keys
        }
        self._tokens = tokens
        self._permissions = permissions

    def is_to_be_looked_up(self, access_key: str, token: str | None) -> bool:
        """Whether IAM is to be asked for a key (`PermissionSource.load_key`) before it can be found."""
        if token is not None or access_key in self._known:
            return False
        return self._permissions.find_key(access_key) is None

    def derive_secret(self, access_key: str) -> str:
        """Return the secret of a key, if it is one that was made here."""
        return self._tokens.derive_secret(access_key)

    def find(self, access_key: str, token: str | None) -> Credential | None:
        """Return what is known of a key; None for an unknown one or a token that was not issued here."""
        if token is None:
            known = self._known.get(access_key)
            if known is not None:
                return known
            found = self._permissions.find_key(access_key)
            return None if found is None else found[0]
        try:
            session = self._tokens.open(token)
        except ValueError:
            return None
        if session.principal.access_key != access_key:
            return None
        return Credential(session.principal, self._tokens.derive_secret(access_key), session.expires)
