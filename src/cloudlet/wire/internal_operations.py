"""Operations that AWS's models do not have, by which Cloudlet's blocks call each other.

AWS's services have private interfaces for the same purposes. Only services may call these operations: the block that
has one refuses all others (`cloudlet.core.kernel.block`). Coverage does not count them.
"""

from __future__ import annotations

from typing import Any, Final

_STRING: Final = {"type": "string"}
_BOOLEAN: Final = {"type": "boolean"}
_BLOB: Final = {"type": "blob"}
_TIMESTAMP: Final = {"type": "timestamp"}
_STRINGS: Final = {"type": "list", "member": _STRING}
_STRING_MAP: Final = {"type": "map", "key": _STRING, "value": _STRING}

Members = dict[str, Any]
"""The shapes of members by name, written in place, or names of the model's shapes.

A member whose name ends in "?" is optional in a request.
"""

_OPERATIONS: Final[dict[str, dict[str, tuple[Members, Members]]]] = {
    "acm": {
        # Returns a certificate with its private key, in PEM, to serve it; without these where the version is known.
        "ResolveCertificate": (
            {"CertificateArn": _STRING, "KnownVersion?": _STRING},
            {
                "Status": _STRING,
                "DomainNames": _STRINGS,
                "Version": _STRING,
                "Certificate": _STRING,
                "CertificateChain": _STRING,
                "PrivateKey": _STRING,
            },
        ),
        # Tells that a resource uses a certificate, or does no more.
        "SetCertificateUse": ({"CertificateArn": _STRING, "ResourceArn": _STRING, "InUse": _BOOLEAN}, {}),
    },
    "apigateway": {
        # Finds the certificate of the custom domain name that answers for a host, for the front door to serve it.
        "ResolveServedCertificate": (
            {"Host": _STRING, "KnownVersion?": _STRING},
            {"Version": _STRING, "Certificate": _STRING, "CertificateChain": _STRING, "PrivateKey": _STRING},
        ),
    },
    "application-autoscaling": {
        # Invokes a scaling policy, which is the action of an alarm, with the datapoints of the alarm's metric.
        "ExecuteScalingPolicy": (
            {
                "PolicyARN": _STRING,
                "AlarmName": _STRING,
                "State": _STRING,
                "Threshold": {"type": "double"},
                "Values": {"type": "list", "member": {"type": "double"}},
            },
            {},
        ),
    },
    "cloudtrail": {
        # Tells CloudTrail of calls.
        "RecordEvents": (
            {"Events": {"type": "list", "member": _STRING, "max": 1000}, "Source": _STRING},
            {"WantsDataEvents": _BOOLEAN},
        ),
    },
    "events": {
        # Invokes an API destination, for pipes and API Gateway; AWS has it as a permission only.
        "InvokeApiDestination": (
            {
                "ApiDestinationArn": _STRING,
                "RoleArn?": _STRING,
                "Body": _STRING,
                "HttpParameters?": "HttpParameters",
            },
            {"StatusCode": {"type": "integer"}, "Body": _BLOB},
        ),
    },
    "iam": {
        # Finds the owner of a long-term access key: the ARN is a user's, or an account's root.
        "ResolveAccessKey": (
            {"AccessKeyId": _STRING},
            {"Arn": _STRING, "UserId": _STRING, "IsActive": _BOOLEAN},
        ),
        # Finds the identity-based policies of a user or role, by its ARN or by that of a session of the role.
        # Policies have names (an ARN, or the name of an inline policy) and documents.
        "ResolvePrincipal": (
            {"Arn": _STRING},
            {
                "Arn": _STRING,
                "Id": _STRING,
                "Policies": _STRING_MAP,
                "BoundaryArn": _STRING,
                "Boundary": _STRING,
                "Tags": _STRING_MAP,
                "MaxSessionDuration": {"type": "integer"},
                "TrustPolicy": _STRING,
            },
        ),
        # Finds the documents of managed policies, as session policies name them.
        "ResolvePolicies": ({"Arns": _STRINGS}, {"Policies": _STRING_MAP}),
        # Finds a server certificate with its private key.
        "ResolveServerCertificate": (
            {"ServerCertificateName": _STRING},
            {"Arn": _STRING, "Certificate": _STRING, "CertificateChain": _STRING, "PrivateKey": _STRING},
        ),
        # Takes a code of a user's MFA device; each is good once.
        "VerifyMfaCode": (
            {"SerialNumber": _STRING, "TokenCode": _STRING, "UserArn": _STRING},
            {"IsValid": _BOOLEAN},
        ),
        # Tells IAM when access keys, users and roles were used last, in batches.
        "RecordUse": (
            {
                "Uses": {
                    "type": "list",
                    "member": {
                        "type": "structure",
                        "members": {
                            "Arn": _STRING,
                            "AccessKeyId": _STRING,
                            "Service": _STRING,
                            "Region": _STRING,
                            "At": _TIMESTAMP,
                        },
                    },
                }
            },
            {},
        ),
    },
}


def add_internal_operations(service: str, description: dict[str, Any]) -> None:
    """Add a service's internal operations to its botocore description, in place."""
    shapes: dict[str, Any] = description["shapes"]
    for name, (request, response) in _OPERATIONS.get(service, {}).items():
        required = [member for member in request if not member.endswith("?")]
        members = {member.removesuffix("?"): shape for member, shape in request.items()}
        taken = _add_structure(shapes, f"{name}Request", members)
        shapes[taken]["required"] = required
        description["operations"][name] = {
            "name": name,
            "http": {"method": "POST", "requestUri": "/"},
            "input": {"shape": taken},
            "output": {"shape": _add_structure(shapes, f"{name}Response", response), "resultWrapper": f"{name}Result"},
        }


def is_internal(service: str, operation: str) -> bool:
    """Whether only services may call an operation."""
    return operation in _OPERATIONS.get(service, ())


def _add_structure(shapes: dict[str, Any], name: str, members: Members) -> str:
    """Add a structure and the shapes of its members; return its name."""
    named = {member: {"shape": _add(shapes, f"{name}{member}", shape)} for member, shape in members.items()}
    shapes[name] = {"type": "structure", "members": named}
    return name


def _add(shapes: dict[str, Any], name: str, shape: str | dict[str, Any]) -> str:
    """Add a shape that is written in place, and return its name in the model."""
    if isinstance(shape, str):
        return shape
    if shape["type"] == "structure":
        return _add_structure(shapes, name, shape["members"])
    parts = {part: shape[part] for part in ("member", "key", "value") if part in shape}
    named = {part: {"shape": _add(shapes, f"{name}{part.title()}", inner)} for part, inner in parts.items()}
    shapes[name] = {**shape, **named}
    return name
