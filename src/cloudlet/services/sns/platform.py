"""Platform applications and their endpoints: apps on devices, as push notification services know them.

Developer Guide, "Mobile push notifications". An application is kept by its platform and name; its endpoints are below
its number, so that they go with it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from cloudlet.core import Arn, AwsError, Context, Subspace, Transaction
from cloudlet.core.aws.arn import partition_of
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.sns import errors, limits
from cloudlet.store import pack

_APPLICATIONS = Subspace("application")
_NUMBERS = pack(("application-numbers",))
_APPLE = ("APNS", "APNS_SANDBOX", "APNS_VOIP", "APNS_VOIP_SANDBOX", "MACOS", "MACOS_SANDBOX")
_PLATFORMS = (*_APPLE, "ADM", "BAIDU", "GCM", "MPNS", "WNS")
_WITHOUT_PRINCIPAL = ("GCM",)
_SECRETS = ("PlatformCredential", "PlatformPrincipal")
_KEPT = (*_SECRETS, "ApplePlatformTeamID", "ApplePlatformBundleID", "Enabled")
_NOT_BUILT = (
    "EventDeliveryFailure",
    "EventEndpointCreated",
    "EventEndpointDeleted",
    "EventEndpointUpdated",
    "FailureFeedbackRoleArn",
    "SuccessFeedbackRoleArn",
    "SuccessFeedbackSampleRate",
)
_ENDPOINT_ATTRIBUTES = ("CustomUserData", "Enabled", "Token")
_APPLE_TOKEN = re.compile(r"[0-9A-Fa-f]{1,400}")
_TOKEN_BYTES = 2_048
_ATTRIBUTE_CHARACTERS = 16_384
"""More than a certificate or a service account's key has; a list shows a hundred applications at once."""


class Application(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of a platform application."""

    number: int
    account: str
    region: str
    platform: str
    name: str
    attributes: dict[str, str]

    @property
    def arn(self) -> str:
        return self.arn_of(f"app/{self.platform}/{self.name}")

    @property
    def enabled(self) -> bool:
        return self.attributes.get("Enabled", "true") == "true"

    @property
    def endpoints(self) -> Subspace:
        """Id → endpoint."""
        return Subspace("a", self.number, "endpoint")

    def arn_of(self, resource: str) -> str:
        return str(Arn(partition_of(self.region), "sns", self.region, self.account, resource))

    def endpoint_arn(self, id: str) -> str:
        return self.arn_of(f"endpoint/{self.platform}/{self.name}/{id}")

    def token_key(self, token: str) -> bytes:
        """The key under which the id of the endpoint with a device token is."""
        return pack(("a", self.number, "token", token))


class Endpoint(msgspec.Struct, frozen=True, array_like=True):
    """What is stored of an endpoint: CustomUserData, Enabled and Token."""

    id: str
    attributes: dict[str, str]

    @property
    def token(self) -> str:
        return self.attributes["Token"]

    @property
    def enabled(self) -> bool:
        return self.attributes["Enabled"] == "true"


_encode = msgspec.msgpack.Encoder().encode
_decode_application = msgspec.msgpack.Decoder(Application).decode
_decode_endpoint = msgspec.msgpack.Decoder(Endpoint).decode


# -- applications


def of_account(account: str, region: str) -> Subspace:
    """Return where an account's applications are: "platform/name" → record."""
    return _APPLICATIONS.sub(account, region)


def decode_application(raw: bytes) -> Application:
    return _decode_application(raw)


async def create_application(
    ctx: Context, tx: Transaction, name: str, platform: str, attributes: Mapping[str, str]
) -> Application:
    """Return the new application, or the one there is. Raises AwsError for what AWS does not admit."""
    limits.check_application_name(name)
    if platform not in _PLATFORMS:
        raise errors.invalid_parameter("Platform", f"{platform} is not supported")
    checked = changed_application(platform, {}, attributes)
    key = of_account(ctx.account, ctx.region).key(f"{platform}/{name}")
    raw = await tx.get(key)
    if raw is not None:
        existing = _decode_application(raw)
        if existing.attributes != checked:
            raise errors.invalid_parameter(
                "Attributes", f"Platform application {existing.arn} already exists with different attributes"
            )
        return existing
    tx.add(_NUMBERS, 1)
    application = Application(await tx.counter(_NUMBERS), ctx.account, ctx.region, platform, name, checked)
    _store_application(tx, application)
    return application


def changed_application(platform: str, attributes: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """Return an application's attributes after a change. Raises AwsError for what AWS does not admit."""
    after = {**attributes, **changes}
    for name, value in changes.items():
        if name in _NOT_BUILT:
            raise errors.not_built(f"the platform application attribute {name}")
        if name not in _KEPT:
            raise errors.invalid_parameter("Attributes", f"Unknown attribute {name}")
        if len(value) > _ATTRIBUTE_CHARACTERS:
            raise errors.invalid_parameter("Attributes", f"{name} is longer than {_ATTRIBUTE_CHARACTERS} characters")
        errors.check_characters("Attributes", value)
        if name == "Enabled":
            after[name] = _checked_boolean(name, value)
    if not after.get("PlatformCredential"):
        raise errors.invalid_parameter("Attributes", "PlatformCredential is required")
    if platform not in _WITHOUT_PRINCIPAL and not after.get("PlatformPrincipal"):
        raise errors.invalid_parameter("Attributes", f"PlatformPrincipal is required for {platform}")
    return after


def change_application(tx: Transaction, existing: Application, changes: Mapping[str, str]) -> None:
    """Set attributes of an application. Raises AwsError for what AWS does not admit."""
    attributes = changed_application(existing.platform, existing.attributes, changes)
    _store_application(tx, msgspec.structs.replace(existing, attributes=attributes))


def _store_application(tx: Transaction, application: Application) -> None:
    key = of_account(application.account, application.region).key(f"{application.platform}/{application.name}")
    tx.put(key, _encode(application))


async def find_application(tx: Transaction, arn: str, region: str) -> Application | None:
    """Return an application of a region by its ARN, or None. Raises AwsError for what is no ARN of one."""
    parts = _parts(arn, "PlatformApplicationArn", "app", 3, region)
    raw = await tx.get(of_account(parts.account, parts.region).key(parts.resource.removeprefix("app/")))
    return None if raw is None else _decode_application(raw)


async def application(tx: Transaction, arn: str, region: str) -> Application:
    """Return an application of a region by its ARN. Raises AwsError where there is none."""
    found = await find_application(tx, arn, region)
    if found is None:
        raise errors.no_such_application()
    return found


def delete_application(tx: Transaction, gone: Application) -> None:
    """Delete an application and its endpoints."""
    tx.delete(of_account(gone.account, gone.region).key(f"{gone.platform}/{gone.name}"))
    below = Subspace("a", gone.number)
    tx.delete_range(below.begin, below.end)


def shown_application(existing: Application) -> dict[str, str]:
    """Return the attributes that are shown of an application: its credentials are not."""
    attributes = {name: value for name, value in existing.attributes.items() if name not in _SECRETS}
    attributes.setdefault("Enabled", "true")
    if existing.platform in _APPLE:
        attributes["AuthenticationMethod"] = "token" if "ApplePlatformTeamID" in attributes else "certificate"
    elif existing.platform == "GCM":
        credential = existing.attributes["PlatformCredential"].lstrip()
        attributes["AuthenticationMethod"] = "token" if credential.startswith("{") else "key"
    return attributes


# -- endpoints


def decode_endpoint(raw: bytes) -> Endpoint:
    return _decode_endpoint(raw)


async def create_endpoint(tx: Transaction, of: Application, token: str, attributes: Mapping[str, str]) -> str:
    """Return the ARN of the new endpoint with a device token, or of the one there is. Raises AwsError."""
    wanted = changed_endpoint(of, {"Enabled": "true"}, {**attributes, "Token": token})
    id = await tx.get(of.token_key(wanted["Token"]))
    if id is not None:
        raw = await tx.get(of.endpoints.key(id.decode()))
        if raw is None or _decode_endpoint(raw).attributes != wanted:
            raise errors.invalid_parameter(
                "Token",
                f"Endpoint {of.endpoint_arn(id.decode())} already exists with the same Token, but different "
                "attributes.",
            )
        return of.endpoint_arn(id.decode())
    endpoint = Endpoint(uuid4(), wanted)
    _store_endpoint(tx, of, endpoint)
    return of.endpoint_arn(endpoint.id)


def changed_endpoint(of: Application, attributes: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """Return an endpoint's attributes after a change. Raises AwsError for what AWS does not admit."""
    after = {**attributes, **changes}
    for name, value in changes.items():
        if name not in _ENDPOINT_ATTRIBUTES:
            raise errors.invalid_parameter("Attributes", f"Invalid attribute name: {name}")
        errors.check_characters(name, value)
        if name == "Enabled":
            after[name] = _checked_boolean(name, value)
        elif name == "Token":
            after[name] = _checked_token(of, value)
        elif len(value.encode()) > limits.CUSTOM_USER_DATA_BYTES:
            raise errors.invalid_parameter(
                "CustomUserData", f"must be at most {limits.CUSTOM_USER_DATA_BYTES} bytes long in UTF-8 encoding"
            )
    return after


async def change_endpoint(tx: Transaction, of: Application, endpoint: Endpoint, changes: Mapping[str, str]) -> None:
    """Set attributes of an endpoint. Raises AwsError for what AWS does not admit."""
    changed = Endpoint(endpoint.id, changed_endpoint(of, endpoint.attributes, changes))
    if changed.token != endpoint.token:
        other = await tx.get(of.token_key(changed.token))
        if other is not None:
            raise errors.invalid_parameter(
                "Token", f"Endpoint {of.endpoint_arn(other.decode())} already exists with the same Token."
            )
        tx.delete(of.token_key(endpoint.token))
    _store_endpoint(tx, of, changed)


async def find_endpoint(tx: Transaction, arn: str, region: str = "") -> tuple[Application, Endpoint] | None:
    """Return an endpoint (of a region) by its ARN, and its application; or None.

    Raises AwsError for what is no ARN of one.
    """
    parts = _parts(arn, "EndpointArn", "endpoint", 4, region)
    _, platform, name, id = parts.resource.split("/")
    raw = await tx.get(of_account(parts.account, parts.region).key(f"{platform}/{name}"))
    if raw is None:
        return None
    of = _decode_application(raw)
    raw = await tx.get(of.endpoints.key(id))
    return None if raw is None else (of, _decode_endpoint(raw))


async def endpoint(tx: Transaction, arn: str, region: str = "") -> tuple[Application, Endpoint]:
    """Return an endpoint (of a region) by its ARN, and its application. Raises AwsError where there is none."""
    found = await find_endpoint(tx, arn, region)
    if found is None:
        raise errors.no_such_endpoint()
    return found


async def reachable(tx: Transaction, arn: str) -> tuple[Application, Endpoint]:
    """Return an endpoint that can be published to, and its application. Raises AwsError where it cannot."""
    of, found = await endpoint(tx, arn)
    if not of.enabled:
        raise AwsError("PlatformApplicationDisabled", "Platform application is disabled")
    if not found.enabled:
        raise AwsError("EndpointDisabled", "Endpoint is disabled")
    return of, found


def delete_endpoint(tx: Transaction, of: Application, gone: Endpoint) -> None:
    tx.delete(of.endpoints.key(gone.id))
    tx.delete(of.token_key(gone.token))


def _store_endpoint(tx: Transaction, of: Application, kept: Endpoint) -> None:
    tx.put(of.endpoints.key(kept.id), _encode(kept))
    tx.put(of.token_key(kept.token), kept.id.encode())


def _checked_token(of: Application, token: str) -> str:
    if not 0 < len(token.encode()) <= _TOKEN_BYTES:
        raise errors.invalid_parameter("Token", f"must be 1 to {_TOKEN_BYTES} bytes long")
    if of.platform not in _APPLE:
        return token
    if not _APPLE_TOKEN.fullmatch(token):
        raise errors.invalid_parameter("Token", "iOS device tokens must be no more than 400 hexadecimal characters")
    return token.lower()


def _checked_boolean(name: str, value: str) -> str:
    if value.lower() not in ("true", "false"):
        raise errors.invalid_parameter("Attributes", f"Invalid value for attribute: {name}")
    return value.lower()


def _parts(arn: str, name: str, kind: str, count: int, region: str) -> Arn:
    """Return the parts of an ARN of an application or an endpoint (of a region). Raises AwsError for anything else."""
    try:
        parts = Arn.parse(arn)
    except ValueError:
        raise errors.invalid_arn(name, arn) from None
    resource = parts.resource.split("/")
    if parts.service != "sns" or resource[0] != kind or len(resource) != count or region not in ("", parts.region):
        raise errors.invalid_parameter(name)
    return parts


def listed_endpoint(of: Application, existing: Endpoint) -> dict[str, Any]:
    """Return an endpoint in the form of an answer."""
    return {"EndpointArn": of.endpoint_arn(existing.id), "Attributes": existing.attributes}
