"""The access keys of root users that Cloudlet is given."""

from __future__ import annotations

from pathlib import Path

import msgspec


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


def read_root_keys(file: Path) -> list[RootKey]:
    """Return the keys kept in the data folder: a JSON list of {"account", "access_key", "secret_key"}.

    Raises ValueError.
    """
    try:
        keys = msgspec.json.decode(file.read_bytes(), type=list[RootKey])
        return [RootKey.parse(key.written()) for key in keys]
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from error
