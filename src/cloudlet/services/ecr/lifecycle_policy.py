"""Lifecycle policies: rules that say which images expire. User guide, "Lifecycle policy properties in Amazon ECR"."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import msgspec

from cloudlet.services.ecr import errors
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.wildcards import is_match

_DAY_SECONDS: Final = 86_400
_MAX_RULES: Final = 50
_MAX_WILDCARDS: Final = 4


class _Selection(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    tag_status: Literal["tagged", "untagged", "any"]
    count_type: Literal["imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"]
    count_number: int
    count_unit: Literal["days"] | None = None
    tag_prefix_list: list[str] | None = None
    tag_pattern_list: list[str] | None = None
    storage_class: Literal["standard", "archive"] | None = None


class _Action(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    type: Literal["expire", "transition"]
    target_storage_class: Literal["archive"] | None = None


class Rule(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A rule, as it is written."""

    rule_priority: int
    selection: _Selection
    action: _Action
    description: str = ""


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    rules: list[Rule]


class Expiry(NamedTuple):
    """An image that expires, and the priority of the rule by which it does."""

    image: Image
    priority: int


@lru_cache(256)
def parse(text: str) -> tuple[Rule, ...]:
    """Return the rules of a policy, the first one first. Raises InvalidParameter, NotBuilt."""
    try:
        rules = msgspec.json.decode(text, type=_Document).rules
    except (ValueError, RecursionError) as error:
        raise _Invalid(str(error)) from None
    if not 1 <= len(rules) <= _MAX_RULES:
        raise _Invalid(f"a policy has from 1 to {_MAX_RULES} rules")
    ordered = sorted(rules, key=lambda rule: rule.rule_priority)
    if len({rule.rule_priority for rule in ordered}) < len(ordered):
        raise _Invalid("two rules have the same rulePriority")
    for rule in ordered:
        _check(rule)
    for status in ("untagged", "any"):
        found = [rule for rule in ordered if rule.selection.tag_status == status]
        if len(found) > 1:
            raise _Invalid(f"only one rule may select images with the tagStatus {status}")
        if found and status == "any" and found[0] is not ordered[-1]:
            raise _Invalid("the rule with the tagStatus any must have the highest rulePriority")
    return tuple(ordered)


def _check(rule: Rule) -> None:
    selection = rule.selection
    if rule.action.type == "transition" or selection.storage_class == "archive":
        raise errors.NotBuilt("the storage class ARCHIVE")
    if selection.count_type == "sinceImageTransitioned":
        raise errors.NotBuilt("the storage class ARCHIVE")
    if rule.action.target_storage_class is not None:
        raise _Invalid("targetStorageClass is for the action transition")
    if rule.rule_priority < 1 or selection.count_number < 1:
        raise _Invalid("rulePriority and countNumber must be greater than 0")
    lists = [each for each in (selection.tag_prefix_list, selection.tag_pattern_list) if each is not None]
    if selection.tag_status == "tagged":
        if len(lists) != 1 or not lists[0]:
            raise _Invalid("exactly one of tagPrefixList and tagPatternList is needed for the tagStatus tagged")
        if any(not each for each in lists[0]):
            raise _Invalid("a tag prefix or pattern is empty")
        if any(each.count("*") > _MAX_WILDCARDS for each in selection.tag_pattern_list or ()):
            raise _Invalid(f"a tag pattern can have {_MAX_WILDCARDS} wildcards at most")
    elif lists:
        raise _Invalid("tagPrefixList and tagPatternList are for the tagStatus tagged")
    if (selection.count_type == "imageCountMoreThan") != (selection.count_unit is None):
        raise _Invalid("countUnit is needed with sinceImagePushed and sinceImagePulled, and only there")


def evaluate(rules: Iterable[Rule], images: list[Image], now: float) -> list[Expiry]:
    """Return the images that expire, each by the first rule that says so.

    All rules see all images, those too that expire by another one. An image that an index names stays.
    """
    named = {child for image in images for child in image.children}
    expired: dict[str, Expiry] = {}
    for rule in rules:
        for image in _select(rule.selection, images, now):
            if image.digest not in named:
                expired.setdefault(image.digest, Expiry(image, rule.rule_priority))
    return list(expired.values())


def _select(selection: _Selection, images: list[Image], now: float) -> list[Image]:
    """Return the images that are too many, or too old, by a rule."""
    found = [image for image in images if _is_selected(selection, image)]
    if selection.count_type == "imageCountMoreThan":
        found.sort(key=lambda image: (image.pushed, image.digest), reverse=True)
        return found[selection.count_number :]
    oldest = now - selection.count_number * _DAY_SECONDS
    if selection.count_type == "sinceImagePulled":
        return [image for image in found if (image.pulled or image.pushed) < oldest]
    return [image for image in found if image.pushed < oldest]


def _is_selected(selection: _Selection, image: Image) -> bool:
    if selection.tag_status == "any":
        return True
    if selection.tag_status == "untagged":
        return not image.tags
    if selection.tag_pattern_list is not None:
        return all(any(is_match(each, tag) for tag in image.tags) for each in selection.tag_pattern_list)
    return all(any(tag.startswith(each) for tag in image.tags) for each in selection.tag_prefix_list or ())


def show(expiry: Expiry) -> dict[str, Any]:
    """Return an image that expires as previews show it."""
    return {
        "imageTags": list(expiry.image.tags) or None,
        "imageDigest": expiry.image.digest,
        "imagePushedAt": expiry.image.pushed,
        "action": {"type": "EXPIRE"},
        "appliedRulePriority": expiry.priority,
        "storageClass": "STANDARD",
    }


class _Invalid(errors.InvalidParameter):
    """A text that is no lifecycle policy."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation "
            f"failure: {reason}'"
        )
