"""Connections: how EventBridge authorizes itself at HTTP endpoints. User guide, "Connections for HTTP targets".

What is secret of a connection is in a row of its own, which nothing but requests to its endpoints is made of.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.aws.records import Records
from cloudlet.services.events import errors

CONNECTIONS = 3000
"""Of an account in a region, at most."""
TOPIC = b"connections"
"""Notified when there is one to be authorized."""
BASIC, API_KEY, OAUTH = "BASIC", "API_KEY", "OAUTH_CLIENT_CREDENTIALS"
PARAMETERS = {BASIC: "BasicAuthParameters", API_KEY: "ApiKeyAuthParameters", OAUTH: "OAuthParameters"}
"""Which of AuthParameters each type of authorization has."""

Place = tuple[str, str, str]
"""Account, region and name of a connection."""

_CONNECTIONS = Subspace("connection")
_SECRETS = Subspace("connection-secret")
_AUTHORIZING = Subspace("connection-authorizing")
_SECRET_MEMBERS = frozenset(("Password", "ClientSecret", "ApiKeyValue"))


class Connection(msgspec.Struct, frozen=True):
    """A connection. Times are in seconds since the epoch; 0 for what has not come to pass."""

    account: str
    region: str
    name: str
    id: str
    kind: str
    """Its type of authorization."""
    state: str
    created: float
    modified: float
    parameters: dict[str, Any]
    """AuthParameters, without what is secret."""
    description: str = ""
    reason: str = ""
    authorized: float = 0.0

    @property
    def arn(self) -> str:
        resource = f"connection/{self.name}/{self.id}"
        return str(Arn(partition_of(self.region), "events", self.region, self.account, resource))


class Secret(msgspec.Struct, frozen=True):
    """What is secret of a connection: AuthParameters whole, and the token that OAuth has given for them."""

    parameters: dict[str, Any]
    token: str = ""
    expires: float | None = None
    """In seconds since the epoch; None where nothing is known of that."""


_encode = msgspec.msgpack.Encoder().encode
_decode_secret = msgspec.msgpack.Decoder(Secret).decode


def _absent(name: str) -> AwsError:
    return errors.not_found(f"Failed to describe the connection(s). Connection '{name}' does not exist.")


_connections = Records(_CONNECTIONS, Connection, _absent)
decode, of_account, find, get = _connections.decode, _connections.get_space, _connections.find, _connections.get


async def with_arn(tx: Transaction, text: str) -> Connection:
    """Return the connection with an ARN. Raises AwsError where there is none."""
    arn = Arn.parse(text)
    _, _, path = arn.resource.partition("/")
    name, _, id = path.partition("/")
    found = await find(tx, arn.account, arn.region, name)
    if found is None or found.id != id:
        raise _absent(name)
    return found


async def secret_of(tx: Transaction, connection: Connection) -> Secret | None:
    """Return what is secret of a connection; None where it is not authorized any more."""
    raw = await tx.get(_SECRETS.key(connection.account, connection.region, connection.name))
    return None if raw is None else _decode_secret(raw)


def save(tx: Transaction, connection: Connection) -> None:
    """Write a connection; it is worked on where it is to be authorized."""
    place = (connection.account, connection.region, connection.name)
    _connections.save(tx, connection)
    if connection.state == "AUTHORIZING":
        tx.put(_AUTHORIZING.key(*place), b"")
        tx.notify(TOPIC)
    else:
        tx.delete(_AUTHORIZING.key(*place))


def save_secret(tx: Transaction, connection: Connection, secret: Secret) -> None:
    """Write what is secret of a connection."""
    tx.put(_SECRETS.key(connection.account, connection.region, connection.name), _encode(secret))


def remove_secret(tx: Transaction, connection: Connection) -> None:
    """Delete what is secret of a connection."""
    tx.delete(_SECRETS.key(connection.account, connection.region, connection.name))


def remove(tx: Transaction, connection: Connection) -> None:
    """Delete a connection."""
    remove_secret(tx, connection)
    _connections.remove(tx, connection)
    tx.delete(_AUTHORIZING.key(connection.account, connection.region, connection.name))


async def authorizing(tx: Transaction, count: int) -> list[Place]:
    """Return which connections are to be authorized."""
    rows = await tx.range(_AUTHORIZING.begin, _AUTHORIZING.end, limit=count)
    return [_AUTHORIZING.unpack(key) for key, _ in rows]


def public(parameters: Any) -> Any:
    """Return AuthParameters without what is secret: passwords, keys, and values that are said to be so."""
    if isinstance(parameters, list):
        return [public(each) for each in parameters]
    if not isinstance(parameters, dict):
        return parameters
    hidden = _SECRET_MEMBERS | ({"Value"} if parameters.get("IsValueSecret") else set())
    return {name: public(value) for name, value in parameters.items() if name not in hidden}


def merged(known: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return AuthParameters with those of a request, which leaves out what stays as it is."""
    changed = {
        name: merged(known.get(name) or {}, value) if isinstance(value, dict) else value
        for name, value in given.items()
    }
    return {**known, **changed}
