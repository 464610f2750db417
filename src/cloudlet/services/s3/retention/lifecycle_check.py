"""What may be stored as a lifecycle configuration.

API reference, "PutBucketLifecycleConfiguration"; S3 user guide, "Lifecycle configuration elements".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudlet.core import AwsError
from cloudlet.core.kernel.ids import token
from cloudlet.services.s3 import errors
from cloudlet.services.s3.retention.lifecycle import WATERFALL

_DAY = 86_400
_MOST_RULES = 1000
_LONGEST_ID = 255
_MOST_NEWER_VERSIONS = 100
_CLASSES = ("STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE")
_INFREQUENT = ("STANDARD_IA", "ONEZONE_IA")
_DAYS_BEFORE_INFREQUENT = 30
_DAYS_OF_INFREQUENT = 30
_ACTIONS = (
    "Expiration",
    "Transitions",
    "NoncurrentVersionTransitions",
    "NoncurrentVersionExpiration",
    "AbortIncompleteMultipartUpload",
)

Document = Mapping[str, Any]


def checked(document: Document) -> dict[str, Any]:
    """Return a LifecycleConfiguration to store; rules without an id get one. Raises AwsError."""
    rules = document.get("Rules") or []
    if not rules or len(rules) > _MOST_RULES:
        raise errors.malformed_xml()
    checked_rules = [{**rule, "ID": rule.get("ID") or token(48)} for rule in rules]
    if len({rule["ID"] for rule in checked_rules}) < len(rules):
        raise _invalid("Rule ID must be unique. Found same ID for more than one rule")
    for rule in checked_rules:
        _check_rule(rule)
    return {"Rules": checked_rules}


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidArgument", message, status=400)


def _check_rule(rule: Document) -> None:
    if len(rule["ID"]) > _LONGEST_ID:
        raise _invalid(f"ID length should not exceed allowed limit of {_LONGEST_ID}")
    if rule.get("Status") not in ("Enabled", "Disabled"):
        raise errors.malformed_xml()
    if (rule.get("Prefix") is None) == (rule.get("Filter") is None):
        raise errors.malformed_xml()
    if not any(rule.get(action) for action in _ACTIONS):
        raise errors.invalid_request("At least one action needs to be specified in a rule")
    _check_filter(rule.get("Filter") or {}, rule)
    _check_expiration(rule.get("Expiration"))
    _check_transitions(rule)
    _check_noncurrent(rule)
    abort = rule.get("AbortIncompleteMultipartUpload")
    if abort is not None and (abort.get("DaysAfterInitiation") or 0) < 1:
        raise _invalid("'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")


def _check_filter(chosen: Document, rule: Document) -> None:
    if len(chosen) > 1:
        raise errors.malformed_xml()
    conditions = chosen.get("And") or chosen
    tags = conditions.get("Tags") or ([conditions["Tag"]] if conditions.get("Tag") else [])
    if len({tag["Key"] for tag in tags}) < len(tags):
        raise errors.invalid_request("Duplicate Tag Keys are not allowed.")
    if "And" in chosen and len(conditions) - ("Tags" in conditions) + len(tags) < 2:
        raise errors.malformed_xml()
    if tags and rule.get("AbortIncompleteMultipartUpload"):
        raise errors.invalid_request("AbortIncompleteMultipartUpload cannot be specified with Tags.")
    if tags and (rule.get("Expiration") or {}).get("ExpiredObjectDeleteMarker"):
        raise errors.invalid_request("ExpiredObjectDeleteMarker cannot be specified with Tags.")
    more, less = conditions.get("ObjectSizeGreaterThan"), conditions.get("ObjectSizeLessThan")
    if more is not None and less is not None and less <= more:
        raise errors.invalid_request("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")


def _check_expiration(expiration: Document | None) -> None:
    if expiration is None:
        return
    if len([name for name in ("Date", "Days", "ExpiredObjectDeleteMarker") if expiration.get(name) is not None]) != 1:
        raise errors.malformed_xml()
    if expiration.get("Days") is not None and expiration["Days"] < 1:
        raise _invalid("'Days' for Expiration action must be a positive integer")
    _check_date(expiration.get("Date"))


def _check_date(date: float | None) -> None:
    if date is not None and date % _DAY:
        raise _invalid("'Date' must be at midnight GMT")


def _check_transitions(rule: Document) -> None:
    transitions = rule.get("Transitions") or []
    for step in transitions:
        _check_class(step)
        if (step.get("Days") is None) == (step.get("Date") is None):
            raise errors.malformed_xml()
        days = step.get("Days")
        if days is not None and days < 0:
            raise _invalid("'Days' in Transition action must be nonnegative")
        if days is not None and days < _DAYS_BEFORE_INFREQUENT and step["StorageClass"] in _INFREQUENT:
            raise _invalid(
                f"'Days' in Transition action must be greater than or equal to {_DAYS_BEFORE_INFREQUENT} for "
                f"storageClass '{step['StorageClass']}'"
            )
        _check_date(step.get("Date"))
        _check_before_expiration(step, rule.get("Expiration") or {})
    _check_one_each(transitions, "Transition")
    _check_stay(transitions, "Days", "Transition")


def _check_before_expiration(step: Document, expiration: Document) -> None:
    for name in ("Days", "Date"):
        if step.get(name) is not None and expiration.get(name) is not None and expiration[name] <= step[name]:
            raise _invalid(
                f"'{name}' in the Expiration action for filter must be greater than '{name}' in the Transition action"
            )
    if ("Days" in step and expiration.get("Date") is not None) or ("Date" in step and expiration.get("Days")):
        raise errors.invalid_request(
            "Found mixed 'Date' and 'Days' based Expiration and Transition actions in lifecycle rule"
        )


def _check_noncurrent(rule: Document) -> None:
    steps = rule.get("NoncurrentVersionTransitions") or []
    for step in steps:
        _check_class(step)
        _check_newer(step)
        days = step.get("NoncurrentDays")
        if days is None or days < 0:
            raise _invalid("'NoncurrentDays' in NoncurrentVersionTransition action must be nonnegative")
        if days < _DAYS_BEFORE_INFREQUENT and step["StorageClass"] in _INFREQUENT:
            raise _invalid(
                "'NoncurrentDays' in NoncurrentVersionTransition action must be greater than or equal to "
                f"{_DAYS_BEFORE_INFREQUENT} for storageClass '{step['StorageClass']}'"
            )
    _check_one_each(steps, "NoncurrentVersionTransition")
    _check_stay(steps, "NoncurrentDays", "NoncurrentVersionTransition")
    expiration = rule.get("NoncurrentVersionExpiration")
    if expiration is not None:
        _check_newer(expiration)
        if (expiration.get("NoncurrentDays") or 0) < 1:
            raise _invalid("'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
        if any(step["NoncurrentDays"] >= expiration["NoncurrentDays"] for step in steps):
            raise _invalid(
                "'NoncurrentDays' in the NoncurrentVersionExpiration action must be greater than 'NoncurrentDays' in "
                "the NoncurrentVersionTransition action"
            )


def _check_newer(action: Document) -> None:
    newer = action.get("NewerNoncurrentVersions")
    if newer is not None and not 1 <= newer <= _MOST_NEWER_VERSIONS:
        raise _invalid("'NewerNoncurrentVersions' must be a positive integer that does not exceed 100")


def _check_class(step: Document) -> None:
    if step.get("StorageClass") not in _CLASSES:
        raise errors.malformed_xml()


def _check_stay(steps: list[Document], days: str, action: str) -> None:
    """Raise where one rule takes objects on from infrequent access before they have to be paid for there.

    User guide, "Transitioning objects using Amazon S3 Lifecycle", "Minimum 30-day storage charge".
    """
    timed = [step for step in steps if step.get(days) is not None]
    for step in timed:
        if step["StorageClass"] not in _INFREQUENT:
            continue
        colder = WATERFALL[WATERFALL.index(step["StorageClass"]) + 1 :]
        for later in timed:
            if later["StorageClass"] in colder and later[days] < step[days] + _DAYS_OF_INFREQUENT:
                raise _invalid(
                    f"'{days}' in the '{action}' action for StorageClass '{later['StorageClass']}' must be "
                    f"{_DAYS_OF_INFREQUENT} days more than '{days}' in the '{action}' action for StorageClass "
                    f"'{step['StorageClass']}'"
                )


def _check_one_each(steps: list[Document], action: str) -> None:
    classes = [step["StorageClass"] for step in steps]
    if len(set(classes)) < len(classes):
        raise errors.invalid_request(f"'StorageClass' must be different for '{action}' actions in same 'Rule'")
