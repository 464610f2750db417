"""Credentials of users besides access keys: how they are kept, by their users and ids."""

from __future__ import annotations

from typing import Any, Final, Generic, TypeVar

import msgspec
from msgspec.structs import replace

from cloudlet.core import Params, Subspace, Transaction
from cloudlet.services.iam import errors
from cloudlet.services.iam.deletion_checks import add_user_check
from cloudlet.services.iam.entity_record import User
from cloudlet.services.iam.user_credential_record import (
    LoginProfile,
    ServiceCredential,
    SigningCertificate,
    SshPublicKey,
    UserCredential,
)

C = TypeVar("C", bound=UserCredential)
_MAX_ROWS: Final = 100
MAX_USER_CERTIFICATES: Final = 2
_encode = msgspec.msgpack.Encoder().encode


class UserCredentials(Generic[C]):
    """The credentials of one kind."""

    def __init__(self, space: str, record: type[C], noun: str, missing: str) -> None:
        """Errors have `noun` about a user that has some, and `missing` about an id."""
        self._space: Final = Subspace(space)
        self._missing: Final = missing
        self.noun: Final = noun
        self.decode: Final = msgspec.msgpack.Decoder(record).decode

    def get_space(self, account: str) -> Subspace:
        """Return the subspace of an account, by users."""
        return self._space.sub(account)

    async def find(self, tx: Transaction, account: str, user: str, id: str) -> C | None:
        """Return a credential of a user, by its key, or None."""
        raw = await tx.get(self._space.key(account, user, id))
        return None if raw is None else self.decode(raw)

    async def get(self, tx: Transaction, account: str, user: str, id: str) -> C:
        """Return a credential of a user, by its key. Raises AwsError where there is none."""
        found = await self.find(tx, account, user, id)
        if found is None:
            raise errors.no_such_entity(self._missing.format(id=id))
        return found

    async def list_owned(self, tx: Transaction, account: str, user: str) -> list[C]:
        """Return the credentials of a user, by its key, in the order of ids."""
        space = self._space.sub(account, user)
        return [self.decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=_MAX_ROWS)]

    def save(self, tx: Transaction, credential: C) -> None:
        """Write a credential."""
        tx.put(self._space.key(credential.account, credential.user, credential.id), _encode(credential))

    def remove(self, tx: Transaction, credential: C) -> None:
        """Delete a credential."""
        tx.delete(self._space.key(credential.account, credential.user, credential.id))


LOGIN_PROFILES: Final = UserCredentials(
    "login-profile", LoginProfile, "login profile", "Login Profile for User {id} cannot be found."
)
SIGNING_CERTIFICATES: Final = UserCredentials(
    "signing-certificate",
    SigningCertificate,
    "signing certificates",
    "The Certificate with id {id} cannot be found.",
)
SSH_PUBLIC_KEYS: Final = UserCredentials(
    "ssh-public-key", SshPublicKey, "SSH public keys", "The Public Key with id {id} cannot be found."
)
SERVICE_CREDENTIALS: Final = UserCredentials(
    "service-credential",
    ServiceCredential,
    "service-specific credentials",
    "No such credential {id} exists",
)
_ALL: Final[tuple[UserCredentials[Any], ...]] = (
    LOGIN_PROFILES,
    SIGNING_CERTIFICATES,
    SSH_PUBLIC_KEYS,
    SERVICE_CREDENTIALS,
)


def read_status(params: Params) -> bool:
    """Return whether a request makes a credential active. Raises AwsError for a status that nobody sets."""
    if params["Status"] == "Expired":
        raise errors.invalid_input("The status can be set to Active or Inactive.")
    return bool(params["Status"] == "Active")


def show_status(is_active: bool) -> str:
    """Return the status of a credential that is not expired."""
    return "Active" if is_active else "Inactive"


async def move(tx: Transaction, user: User, renamed: User) -> None:
    """Give the credentials of a user to it under its other name."""
    for kind in _ALL:
        for credential in await kind.list_owned(tx, user.account, user.key):
            kind.remove(tx, credential)
            kind.save(tx, replace(credential, user=renamed.key))


@add_user_check
async def check_user(tx: Transaction, user: User) -> None:
    """Raise AwsError for a user that has credentials."""
    for kind in _ALL:
        if await kind.list_owned(tx, user.account, user.key):
            raise errors.delete_conflict(f"Cannot delete entity, must delete {kind.noun} first.")
