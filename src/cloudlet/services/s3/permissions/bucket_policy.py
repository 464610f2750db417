"""Bucket policies: what may be stored as one, and whether it is public.

S3 user guide, "Policies and permissions in Amazon S3", "Blocking public access" ("The meaning of public").
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.authorization.resource_policy import parse_policy
from cloudlet.core.aws.policy import Condition, Effect, Policy, PolicyError, Statement
from cloudlet.core.aws.policy.match import compile_glob
from cloudlet.core.aws.policy.variables import tokenize, without_variables
from cloudlet.services.s3 import errors
from cloudlet.services.s3.permissions import condition_keys

_BYTES = 20 * 1024

_OBJECT_ACTIONS = frozenset(
    f"s3:{name}".lower()
    for name in (
        "AbortMultipartUpload",
        "BypassGovernanceRetention",
        "DeleteObject",
        "DeleteObjectAnnotation",
        "DeleteObjectTagging",
        "DeleteObjectVersion",
        "DeleteObjectVersionTagging",
        "GetObject",
        "GetObjectAcl",
        "GetObjectAnnotation",
        "GetObjectAttributes",
        "GetObjectLegalHold",
        "GetObjectRetention",
        "GetObjectTagging",
        "GetObjectTorrent",
        "GetObjectVersion",
        "GetObjectVersionAcl",
        "GetObjectVersionAttributes",
        "GetObjectVersionForReplication",
        "GetObjectVersionTagging",
        "GetObjectVersionTorrent",
        "InitiateReplication",
        "ListMultipartUploadParts",
        "ListObjectAnnotations",
        "ObjectOwnerOverrideToBucketOwner",
        "PutObject",
        "PutObjectAcl",
        "PutObjectAnnotation",
        "PutObjectLegalHold",
        "PutObjectRetention",
        "PutObjectTagging",
        "PutObjectVersionAcl",
        "PutObjectVersionTagging",
        "ReplicateDelete",
        "ReplicateObject",
        "ReplicateTags",
        "RestoreObject",
        "UpdateObjectEncryption",
    )
)
"""What is done to objects; all other actions are done to buckets."""

_LIMITING_KEYS = frozenset(
    key.lower()
    for key in (
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",
        "aws:SourceAccount",
        "aws:SourceArn",
        "aws:SourceIp",
        "aws:SourceOrgID",
        "aws:SourceOrgPaths",
        "aws:SourceOwner",
        "aws:SourceVpc",
        "aws:SourceVpce",
        "aws:VpcSourceIp",
        "aws:userid",
        "s3:DataAccessPointAccount",
        "s3:DataAccessPointArn",
        "s3:x-amz-server-side-encryption-aws-kms-key-id",
    )
)
_LIMITING_OPERATOR = re.compile(r"(?:String|Arn)(?:Equals|EqualsIgnoreCase|Like)|IpAddress")
_WIDEST_NETWORK = {4: 8, 6: 32}


def checked(text: str, bucket_arn: str) -> Policy:
    """Return the policy that a text is. Raises AwsError for what is no policy of this bucket."""
    if not text.lstrip().startswith("{"):
        raise _malformed("Policies must be valid JSON and the first byte must be '{'")
    if len(text.encode()) > _BYTES:
        raise _malformed("Normalized policy document exceeds the maximum allowed size of 20480 bytes.")
    try:
        policy = parse_policy(text)
    except PolicyError as error:
        raise _malformed(str(error)) from None
    statements = json.loads(text)["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        _check(statement, bucket_arn)
    return policy


def _check(statement: Mapping[str, Any], bucket_arn: str) -> None:
    """Raise unless a statement is about this bucket and what can be done with it."""
    resources = _listed(statement, "Resource")
    if not resources and "NotResource" not in statement:
        raise _malformed("Missing required field Resource")
    for resource in resources:
        if not _is_in(resource, bucket_arn):
            raise _malformed("Policy has invalid resource")
    of_objects = not resources or any("/" in each or "*" in each or "?" in each for each in resources)
    of_bucket = not resources or any("/" not in each for each in resources)
    for action in (*_listed(statement, "Action"), *_listed(statement, "NotAction")):
        name = action.lower()
        if name != "*" and not name.startswith("s3:"):
            raise _malformed("Policy has invalid action")
        if "*" in name or "?" in name or "Action" not in statement:
            continue
        if not (of_objects if name in _OBJECT_ACTIONS else of_bucket):
            raise _malformed("Action does not apply to any resource(s) in statement")
    for key in (key for keys in statement.get("Condition", {}).values() for key in keys):
        if key.lower() == condition_keys.UNBUILT:
            raise errors.not_implemented("the condition key s3:signatureAge")
        if not condition_keys.is_known(key):
            raise _malformed("Policy has an invalid condition key")


def _is_in(resource: str, bucket_arn: str) -> bool:
    """Whether a resource is the bucket or something in it, wildcards or not."""
    name = resource.partition("/")[0]
    return compile_glob(without_variables(tokenize(name, wildcards=True, variables=False)) or ())(bucket_arn)


def _listed(statement: Mapping[str, Any], element: str) -> list[str]:
    value = statement.get(element, [])
    return value if isinstance(value, list) else [value]


def _malformed(message: str) -> AwsError:
    return AwsError("MalformedPolicy", message, status=400)


def is_public(policy: Policy) -> bool:
    """Whether a policy lets in everybody, as S3 understands it: not only fixed principals, networks, resources."""
    return any(
        statement.effect is Effect.ALLOW and _names_everybody(statement) and not _is_limited(statement.conditions)
        for statement in policy.statements
    )


def _names_everybody(statement: Statement) -> bool:
    principals = statement.principals
    return principals is not None and (principals.negated or ("AWS", "*") in principals.written)


def _is_limited(conditions: Iterable[Condition]) -> bool:
    return any(
        condition.key.lower() in _LIMITING_KEYS
        and _LIMITING_OPERATOR.fullmatch(condition.operator.rpartition(":")[2]) is not None
        and all(_is_fixed(condition, value) for value in condition.values)
        for condition in conditions
    )


def _is_fixed(condition: Condition, value: str) -> bool:
    if "${" in value:
        return False
    if condition.operator.endswith("IpAddress"):
        try:
            network = ipaddress.ip_network(value, strict=False)
        except ValueError:
            return False
        return network.prefixlen >= _WIDEST_NETWORK[network.version]
    if condition.key.lower() == "aws:userid" and value.startswith("AROA") and value.endswith(":*"):
        return True
    return "*" not in value and "?" not in value
