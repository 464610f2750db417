"""Lifecycle policies: rules that say which images expire or are archived.

User guide, "Lifecycle policy properties in Amazon ECR", "Lifecycle policy evaluation rules".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

import msgspec

from cloudlet.services.ecr import errors
from cloudlet.services.ecr.image_record import Image
from cloudlet.services.ecr.storage_class import ACTIVE, ARCHIVED
from cloudlet.services.ecr.wildcards import is_match

_DAY_SECONDS: Final = 86_400
_MAX_RULES: Final = 50
_MAX_WILDCARDS: Final = 4
_MIN_ARCHIVED_DAYS: Final = 90
_STATUSES: Final = {"standard": ACTIVE, "archive": ARCHIVED}
"""Storage class in a rule → the status of images that it selects."""


class _Selection(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    tag_status: Literal["tagged", "untagged", "any"]
    count_type: Literal["imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"]
    count_number: int
    count_unit: Literal["days"] | None = None
    tag_prefix_list: list[str] | None = None
    tag_pattern_list: list[str] | None = None
    storage_class: Literal["standard", "archive"] = "standard"


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


class Outcome(NamedTuple):
    """The end of an image, and the priority of the rule that brings it."""

    image: Image
    priority: int
    action: Literal["expire", "transition"]


@lru_cache(256)
def parse(text: str) -> tuple[Rule, ...]:
    """Return the rules of a policy, the first one first. Raises InvalidParameter."""
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
    for storage_class in ("standard", "archive"):
        _check_order([rule for rule in ordered if rule.selection.storage_class == storage_class])
    return tuple(ordered)


def _check_order(rules: list[Rule]) -> None:
    """Check the rules about one storage class."""
    for status in ("untagged", "any"):
        found = [rule for rule in rules if rule.selection.tag_status == status]
        if len(found) > 1:
            raise _Invalid(f"only one rule may select images with the tagStatus {status}")
        if found and status == "any" and found[0] is not rules[-1]:
            raise _Invalid("the rule with the tagStatus any must have the highest rulePriority")
    prefixes = [frozenset(rule.selection.tag_prefix_list) for rule in rules if rule.selection.tag_prefix_list]
    if len(set(prefixes)) < len(prefixes):
        raise _Invalid("two rules have the same tagPrefixList")


def _check(rule: Rule) -> None:
    selection, action = rule.selection, rule.action
    if (action.type == "transition") != (action.target_storage_class is not None):
        raise _Invalid("targetStorageClass is needed for the action transition, and only there")
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
        raise _Invalid("countUnit is needed with a countType of days, and only there")
    if (selection.count_type == "sinceImageTransitioned") != (selection.storage_class == "archive"):
        raise _Invalid("the storageClass archive is needed with sinceImageTransitioned, and only there")
    if selection.count_type == "sinceImagePulled" and action.type != "transition":
        raise _Invalid("sinceImagePulled is for the action transition")
    if selection.count_type == "sinceImageTransitioned":
        if action.type != "expire":
            raise _Invalid("sinceImageTransitioned is for the action expire")
        if selection.count_number < _MIN_ARCHIVED_DAYS:
            raise _Invalid(f"images expire after {_MIN_ARCHIVED_DAYS} days in the archive at the earliest")


def evaluate(rules: Iterable[Rule], images: list[Image], now: float) -> list[Outcome]:
    """Return what becomes of images by rules; no image is there twice.

    All rules see all images, those too that expire by another one. An image whose tags match a rule is left alone by
    later ones about its storage class. One that an index names stays with it; what is about an image goes with it.
    """
    shielded: set[str] = set()
    outcomes: dict[str, Outcome] = {}
    about: dict[str, list[Image]] = {}
    for image in images:
        if image.subject:
            about.setdefault(image.subject, []).append(image)
    for rule in rules:
        found = [image for image in images if _is_selected(rule.selection, image)]
        named = _list_children(rule.action.type, images)
        for image in _select(rule.selection, found, now):
            if image.digest not in shielded and image.digest not in named:
                _add(outcomes, Outcome(image, rule.rule_priority, rule.action.type), about, named)
        shielded.update(image.digest for image in found)
    return list(outcomes.values())


def _list_children(action: str, images: list[Image]) -> set[str]:
    """Return the digests of images that an index keeps.

    An archived index does not keep images from being archived.
    """
    indexes = [image for image in images if action == "expire" or image.status == ACTIVE]
    return {child for image in indexes for child in image.children}


def _add(outcomes: dict[str, Outcome], outcome: Outcome, about: dict[str, list[Image]], named: set[str]) -> None:
    """Add what becomes of an image, and of what is about it."""
    waiting = [outcome.image]
    while waiting:
        image = waiting.pop()
        is_done = outcome.action == "transition" and image.status != ACTIVE
        if image.digest not in outcomes and not is_done:
            outcomes[image.digest] = outcome._replace(image=image)
            waiting += [each for each in about.get(image.digest, ()) if each.digest not in named]


def _select(selection: _Selection, found: list[Image], now: float) -> list[Image]:
    """Return the images that are too many, or too old, by a rule."""
    if selection.count_type == "imageCountMoreThan":
        found = sorted(found, key=lambda image: (_get_begin(image), image.digest), reverse=True)
        return found[selection.count_number :]
    oldest = now - selection.count_number * _DAY_SECONDS
    return [image for image in found if _TIMES[selection.count_type](image) < oldest]


def _get_begin(image: Image) -> float:
    """Return when an image was restored last, or pushed."""
    return image.activated or image.pushed


_TIMES: Final[dict[str, Callable[[Image], float]]] = {
    "sinceImagePushed": _get_begin,
    "sinceImagePulled": lambda image: max(image.pulled, image.activated) or image.pushed,
    "sinceImageTransitioned": lambda image: image.archived,
}


def _is_selected(selection: _Selection, image: Image) -> bool:
    if image.status != _STATUSES[selection.storage_class]:
        return False
    if selection.tag_status == "any":
        return True
    if selection.tag_status == "untagged":
        return not image.tags
    if selection.tag_pattern_list is not None:
        return all(any(is_match(each, tag) for tag in image.tags) for each in selection.tag_pattern_list)
    return all(any(tag.startswith(each) for tag in image.tags) for each in selection.tag_prefix_list or ())


def show(outcome: Outcome) -> dict[str, Any]:
    """Return what becomes of an image as previews show it."""
    action = {"type": outcome.action.upper()}
    if outcome.action == "transition":
        action["targetStorageClass"] = "ARCHIVE"
    return {
        "imageTags": list(outcome.image.tags) or None,
        "imageDigest": outcome.image.digest,
        "imagePushedAt": outcome.image.pushed,
        "action": action,
        "appliedRulePriority": outcome.priority,
        "storageClass": "STANDARD" if outcome.image.status == ACTIVE else "ARCHIVE",
    }


def summarize(outcomes: list[Outcome]) -> dict[str, Any]:
    """Return the numbers of images that a preview shows."""
    transitioning = sum(each.action == "transition" for each in outcomes)
    counts = [{"targetStorageClass": "ARCHIVE", "imageTotalCount": transitioning}] if transitioning else None
    return {"expiringImageTotalCount": len(outcomes) - transitioning, "transitioningImageTotalCounts": counts}


class _Invalid(errors.InvalidParameter):
    """A text that is no lifecycle policy."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"Invalid parameter at 'LifecyclePolicyText' failed to satisfy constraint: 'Lifecycle policy validation "
            f"failure: {reason}'"
        )
