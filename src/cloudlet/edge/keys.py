"""Which access keys are known, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from cloudlet.core.identity import Known, root
from cloudlet.core.tokens import TokenSealer

DEFAULT_ACCOUNT = "000000000000"


class RootKey(msgspec.Struct, frozen=True):
    """An access key of an account's root user."""

    account: str
    access_key: str
    secret_key: str

    @classmethod
    def parse(cls, text: str) -> RootKey:
        """Return the key written as ACCOUNT:KEY:SECRET. Raises ValueError."""
        account, _, rest = text.partition(":")
        access_key, _, secret = rest.partition(":")
        if len(account) != 12 or not account.isdecimal() or not access_key or not secret:
            raise ValueError("a root key is written ACCOUNT:KEY:SECRET, with an account of 12 digits")
        return cls(account, access_key, secret)

    def written(self) -> str:
        """Return the key as it is written."""
        return f"{self.account}:{self.access_key}:{self.secret_key}"


class KeyRing:
    """The root keys that Cloudlet was given, and the temporary ones that it issued."""

    def __init__(self, root_keys: Iterable[RootKey], tokens: TokenSealer) -> None:
        self._known: Mapping[str, Known] = {
            key.access_key: Known(root(key.account, key.access_key), key.secret_key) for key in root_keys
        }
        self._tokens = tokens

    def find(self, access_key: str, token: str | None) -> Known | None:
        """Return what is known of a key; None for an unknown one or a token that was not issued here."""
        if token is None:
            return self._known.get(access_key)
        try:
            session = self._tokens.open(token)
        except ValueError:
            return None
        if session.principal.access_key != access_key:
            return None
        return Known(session.principal, self._tokens.secret_of(access_key), session.expires)


def read_root_keys(file: Path) -> list[RootKey]:
    """Return the keys kept in the data folder: a JSON list of {"account", "access_key", "secret_key"}."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[RootKey])
    except FileNotFoundError:
        return []
