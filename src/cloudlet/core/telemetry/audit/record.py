"""One call as CloudTrail records it.

CloudTrail User Guide, "CloudTrail record contents for management, data, and network activity events" and "CloudTrail
userIdentity element".
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from time import gmtime, strftime
from typing import Any

import msgspec

from cloudlet.core.aws import iso8601
from cloudlet.core.aws.arn import Arn
from cloudlet.core.host import url_passwords
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.identity import Principal
from cloudlet.core.kernel.ids import uuid4
from cloudlet.core.kernel.service import Handler, Params, Result
from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.wire import InvalidRequest, Operation, WireError, load
from cloudlet.wire.shapes import Shape

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
_VERSION = "1.11"
_LARGEST_BYTES = 100 * 1024
"""Of requestParameters and responseElements, each; the guide has it so of a field."""
_DEPTH = 32

encode = msgspec.json.Encoder().encode


@lru_cache(4096)
def _operation(model: str, name: str) -> Operation:
    return load(model).operations[name]


def record(ctx: Context, handler: Handler, params: Params, result: Result, error: WireError | None) -> dict[str, Any]:
    """Return the record of a call that was answered, or is about to be."""
    service = ctx.block.service
    operation = _operation(handler.model, handler.name)
    read_only = handler.is_read_only
    answer = None if read_only or error is not None else _shown(operation.output_shape, result, service.hidden)
    made: dict[str, Any] = {
        "eventVersion": _VERSION,
        "userIdentity": _identity(ctx.principal),
        "eventTime": iso8601.second(int(ctx.now())),
        # DynamoDB has streams.dynamodb for its streams, and one name for itself here.
        "eventSource": f"{operation.service.endpoint_prefix.rpartition('.')[2]}.amazonaws.com",
        "eventName": service.recorded_as.get(handler.name, handler.name),
        "awsRegion": ctx.region,
        "sourceIPAddress": _source(ctx),
        "userAgent": ctx.headers.get("user-agent") or _source(ctx),
        "requestParameters": _bounded(_shown(operation.input_shape, params, service.hidden)),
        "responseElements": _bounded(answer),
        "requestID": ctx.request_id,
        "eventID": uuid4(),
        "readOnly": read_only,
        "eventType": "AwsApiCall",
        "managementEvent": not handler.is_data_event,
        "recipientAccountId": ctx.account,
        "eventCategory": "Data" if handler.is_data_event else "Management",
    }
    if error is not None:
        made |= {"errorCode": error.code, "errorMessage": error.message}
    if ctx.headers.get("host"):
        made["tlsDetails"] = {"clientProvidedHostHeader": ctx.headers["host"]}
    return made


def make_service_event(
    service: str, account: str, region: str, now: float, name: str, data: Mapping[str, Any], error: str
) -> dict[str, Any]:
    """Return the record of an event of the service itself.

    CloudTrail User Guide, "AWS service events"; `error` says why something failed.
    """
    principal = f"{service}.amazonaws.com"
    made: dict[str, Any] = {
        "eventVersion": _VERSION,
        "userIdentity": {"type": "AWSService", "accountId": account, "invokedBy": principal},
        "eventTime": iso8601.second(int(now)),
        "eventSource": principal,
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": principal,
        "userAgent": principal,
        "requestParameters": None,
        "responseElements": None,
        "additionalEventData": data,
        "requestID": uuid4(),
        "eventID": uuid4(),
        "readOnly": False,
        "eventType": "AwsServiceEvent",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    return made | ({"errorMessage": error} if error else {})


def shows_secrets(handler: Handler, invalid: InvalidRequest, hidden: frozenset[str]) -> bool:
    """Whether what is said of a request that the model refuses may have values in it that no record shows."""
    shape = _operation(handler.model, handler.name).input_shape
    members = {} if shape is None else shape.members
    refused = {violation.member for violation in invalid.violations}
    return any(name in hidden or _has_secrets(ref.shape, hidden) for name, ref in members.items() if name in refused)


def _has_secrets(shape: Shape, hidden: frozenset[str], depth: int = 0) -> bool:
    if shape.raw.get("sensitive") or depth > _DEPTH:
        return True
    match shape.kind:
        case "structure":
            return any(
                name in hidden or f"{shape.name}.{name}" in hidden or _has_secrets(ref.shape, hidden, depth + 1)
                for name, ref in shape.members.items()
            )
        case "list":
            return _has_secrets(shape.element.shape, hidden, depth + 1)
        case "map":
            return _has_secrets(shape.value.shape, hidden, depth + 1)
    return False


def _source(ctx: Context) -> str:
    principal = ctx.principal
    return principal.arn if principal.kind == "service" else principal.invoked_by or ctx.source_ip


def _identity(principal: Principal) -> dict[str, Any]:
    if principal.kind == "service":
        return {"type": "AWSService", "invokedBy": principal.arn}
    if principal.kind == "anonymous":
        return {"type": "AWSAccount", "principalId": "", "accountId": "ANONYMOUS_PRINCIPAL"}
    kinds = {"root": "Root", "user": "IAMUser", "assumed-role": "AssumedRole", "federated-user": "FederatedUser"}
    identity: dict[str, Any] = {
        "type": kinds[principal.kind],
        "principalId": principal.user_id,
        "arn": principal.arn,
        "accountId": principal.account,
        "accessKeyId": principal.access_key,
    }
    if principal.kind == "user":
        identity["userName"] = principal.arn.rpartition("/")[2]
    if principal.kind == "assumed-role" or principal.session is not None:
        identity["sessionContext"] = _make_session_context(principal, principal.session or SessionDetails())
    if principal.invoked_by:
        identity["invokedBy"] = principal.invoked_by
    return identity


def _make_session_context(principal: Principal, session: SessionDetails) -> dict[str, Any]:
    """Return what is known of a session."""
    attributes = {"mfaAuthenticated": "true" if session.mfa_at else "false"}
    if session.issued_at:
        attributes["creationDate"] = iso8601.second(int(session.issued_at))
    context: dict[str, Any] = {"attributes": attributes}
    if principal.kind == "assumed-role":
        context["sessionIssuer"] = _describe_role(principal, session.issuer)
    elif principal.kind == "federated-user":
        context["sessionIssuer"] = _describe_issuer(principal, session.issuer)
    if session.source_identity:
        context["sourceIdentity"] = session.source_identity
    if ":oidc-provider/" in session.provider:
        context["webIdFederationData"] = {"federatedProvider": session.provider, "attributes": session.keys}
    return context


def _describe_role(principal: Principal, issuer: str) -> dict[str, str]:
    """Return the role of a session, whose path only the session's issuer tells."""
    arn = Arn.parse(principal.arn)
    role = arn.resource.split("/")[1]
    return {
        "type": "Role",
        "principalId": principal.user_id.partition(":")[0],
        "arn": issuer or str(Arn(arn.partition, "iam", "", principal.account, f"role/{role}")),
        "accountId": principal.account,
        "userName": role,
    }


def _describe_issuer(principal: Principal, issuer: str) -> dict[str, str]:
    """Return who made a federated user: the root user, or a user of IAM."""
    shown = {"type": "Root", "arn": issuer, "accountId": principal.account}
    return shown if issuer.endswith(":root") else {**shown, "type": "IAMUser", "userName": issuer.rpartition("/")[2]}


def _bounded(value: Any) -> Any:
    """Return what is shown, or, where that is too large for a record, that it was left out."""
    if value is None:
        return None
    size = len(encode(value))
    if size <= _LARGEST_BYTES:
        return value
    return {"omitted": True, "originalSize": size, "reason": "event exceeds maximum size"}


def _shown(shape: Shape | None, value: Any, hidden: frozenset[str], depth: int = 0) -> Any:
    """Return a value as records show it: names begin in lower case, secrets are hidden, contents are left out."""
    if shape is None or value is None or depth > _DEPTH:
        return None
    if shape.raw.get("sensitive"):
        return HIDDEN
    if shape.kind == "structure" and isinstance(value, Mapping):
        shown = {}
        for name, each in value.items():
            ref = shape.members.get(name)
            if ref is None or each is None or ref.streaming or ref.shape.kind == "blob" or ref.shape.is_event_stream:
                continue
            is_hidden = name in hidden or f"{shape.name}.{name}" in hidden
            shown[lower_name(name)] = HIDDEN if is_hidden else _shown(ref.shape, each, hidden, depth + 1)
        return shown or None
    if shape.kind == "list":
        return [_shown(shape.element.shape, each, hidden, depth + 1) for each in value]
    if shape.kind == "map":
        return {
            str(key): HIDDEN if key in hidden else _shown(shape.value.shape, each, hidden, depth + 1)
            for key, each in value.items()
        }
    if shape.kind == "blob":
        return HIDDEN
    if shape.kind == "timestamp":
        return strftime("%b %d, %Y %I:%M:%S %p", gmtime(float(value))) if isinstance(value, int | float) else str(value)
    return url_passwords.masked(value) if isinstance(value, str) else value


def lower_name(name: str) -> str:
    """Return the name of a member as records have it."""
    if name == "Bucket":
        # S3's own name for it.
        return "bucketName"
    return name[:1].lower() + name[1:]
