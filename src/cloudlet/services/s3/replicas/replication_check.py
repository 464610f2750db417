"""What may be stored as a replication configuration.

API reference, "PutBucketReplication"; S3 user guide, "Requirements and considerations for replication".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.core import Arn, AwsError, Transaction
from cloudlet.core.kernel.ids import token
from cloudlet.services.s3 import errors
from cloudlet.services.s3.buckets.bucket import find_bucket
from cloudlet.services.s3.buckets.bucket_record import Bucket

_MOST_RULES = 1000
_LONGEST_ID = 255
_MINUTES = 15

Document = Mapping[str, Any]


async def checked(tx: Transaction, bucket: Bucket, document: Document) -> dict[str, Any]:
    """Return a ReplicationConfiguration to store; rules without an id get one. Raises AwsError."""
    if bucket.versioning != "Enabled":
        raise errors.invalid_request("Versioning must be 'Enabled' on the bucket to apply a replication configuration")
    rules = document.get("Rules") or []
    if not rules or len(rules) > _MOST_RULES:
        raise errors.malformed_xml()
    _check_role(document.get("Role") or "")
    rules = [{**rule, "ID": rule.get("ID") or token(48)} for rule in rules]
    if len({rule["ID"] for rule in rules}) < len(rules):
        raise _invalid("Rule Id must be unique")
    _check_version(rules)
    for rule in rules:
        _check_rule(rule)
        await _check_destination(tx, bucket, rule["Destination"])
    _check_priorities(rules)
    return {"Role": document["Role"], "Rules": rules}


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidArgument", message, status=400)


def _check_role(text: str) -> None:
    try:
        arn = Arn.parse(text)
    except ValueError:
        arn = None
    if arn is None or arn.service != "iam" or not arn.resource.startswith("role/"):
        raise _invalid("Invalid Role ARN")


def _check_version(rules: list[dict[str, Any]]) -> None:
    """Raise AwsError unless all rules are of the first version, which has no Filter, or all are of the second."""
    filtered = [rule for rule in rules if rule.get("Filter") is not None]
    if filtered and len(filtered) < len(rules):
        raise errors.invalid_request("Rules with a Filter and rules without one cannot be used in one configuration.")
    if not filtered and len({(rule.get("Destination") or {}).get("Bucket") for rule in rules}) > 1:
        raise errors.invalid_request("Number of distinct destination bucket ARNs cannot exceed 1")


def _check_rule(rule: Document) -> None:
    if len(rule["ID"]) > _LONGEST_ID:
        raise _invalid(f"Rule Id must not be longer than {_LONGEST_ID} characters")
    if rule.get("Status") not in ("Enabled", "Disabled") or not (rule.get("Destination") or {}).get("Bucket"):
        raise errors.malformed_xml()
    if rule.get("Not") is not None or "Not" in ((rule.get("Filter") or {}).get("And") or {}):
        raise errors.not_implemented("replication rules that exclude objects (Not)")
    if (rule.get("ExistingObjectReplication") or {}).get("Status") == "Enabled":
        raise errors.not_implemented("the replication of objects that are there already (ExistingObjectReplication)")
    _check_kms(rule)
    chosen = rule.get("Filter")
    if chosen is None:
        if rule.get("Priority") is not None or rule.get("DeleteMarkerReplication") is not None:
            raise errors.invalid_request(
                "Priority and DeleteMarkerReplication cannot be used for this version of Cross Region Replication "
                "configuration schema. Please refer to S3 Developer Guide for more information."
            )
        return
    if len(chosen) > 1 or rule.get("Prefix") is not None:
        raise errors.malformed_xml()
    if rule.get("Priority") is None or rule.get("DeleteMarkerReplication") is None:
        raise errors.invalid_request(
            "Priority and DeleteMarkerReplication must be specified for this version of Cross Region Replication "
            "configuration schema. Please refer to S3 Developer Guide for more information."
        )
    tagged = chosen.get("Tag") or (chosen.get("And") or {}).get("Tags")
    if tagged and (rule["DeleteMarkerReplication"] or {}).get("Status") == "Enabled":
        raise errors.invalid_request("Delete marker replication is not supported if any Tag filter is specified.")


def _check_kms(rule: Document) -> None:
    criteria = rule.get("SourceSelectionCriteria") or {}
    wanted = (criteria.get("SseKmsEncryptedObjects") or {}).get("Status") == "Enabled"
    encryption = rule["Destination"].get("EncryptionConfiguration") or {}
    if (encryption.get("UseSourceMultiRegionKey") or {}).get("Status") == "Enabled":
        raise errors.not_implemented("keys of several regions for replicas (UseSourceMultiRegionKey)")
    key = encryption.get("ReplicaKmsKeyID")
    if wanted and not key:
        raise errors.invalid_request(
            "ReplicaKmsKeyID must be specified if SseKmsEncryptedObjects tag is present and enabled."
        )
    if key and not wanted:
        raise errors.invalid_request(
            "SseKmsEncryptedObjects must be specified and enabled if EncryptionConfiguration is present."
        )


async def _check_destination(tx: Transaction, bucket: Bucket, destination: Document) -> None:
    try:
        name = Arn.parse(destination["Bucket"]).resource
    except ValueError:
        raise _invalid("Invalid bucket ARN") from None
    target = await find_bucket(tx, name)
    if target is None:
        raise errors.invalid_request("Destination bucket must exist.")
    if target.name == bucket.name:
        raise errors.invalid_request("Destination bucket cannot be the same as the source bucket.")
    if target.versioning != "Enabled":
        raise errors.invalid_request("Destination bucket must have versioning enabled.")
    if bucket.locks and not target.locks:
        raise errors.invalid_request(
            "Replication configuration cannot be applied to an Object Lock-enabled bucket unless the destination "
            "bucket has Object Lock enabled"
        )
    if destination.get("AccessControlTranslation") and not destination.get("Account"):
        raise errors.invalid_request("Account must be specified when AccessControlTranslation is.")
    if destination.get("Account") and destination["Account"] != target.account:
        raise errors.invalid_request("Destination bucket's owner is not the Account that is specified.")
    for name in ("ReplicationTime", "Metrics"):
        timed = destination.get(name) or {}
        limit = timed.get("Time") or timed.get("EventThreshold") or {}
        if limit.get("Minutes", _MINUTES) != _MINUTES:
            raise _invalid(f"{name} supports {_MINUTES} minutes only")


def _check_priorities(rules: list[dict[str, Any]]) -> None:
    priorities = [rule["Priority"] for rule in rules if rule.get("Priority") is not None]
    if len(set(priorities)) < len(priorities):
        raise errors.invalid_request("Found duplicate priority. Each rule must have a unique priority.")
