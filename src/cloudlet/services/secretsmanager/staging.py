"""Staging labels: which version each is attached to, and what moves with AWSCURRENT.

User guide, "What's in a Secrets Manager secret?"; API reference, PutSecretValue and UpdateSecretVersionStage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from cloudlet.services.secretsmanager import errors

CURRENT: Final = "AWSCURRENT"
PENDING: Final = "AWSPENDING"
PREVIOUS: Final = "AWSPREVIOUS"
MAX_LABELS: Final = 20
"""Of all versions of a secret."""

Stages = Mapping[str, str]
"""Versions by the labels that are attached to them."""


def attach(stages: Stages, labels: Iterable[str], version: str) -> dict[str, str]:
    """Return stages with labels moved to a version. Raises LimitExceededError.

    AWSPREVIOUS goes to the version that loses AWSCURRENT.
    """
    given = set(labels)
    moved = {**stages, **dict.fromkeys(labels, version)}
    loser = stages.get(CURRENT)
    if CURRENT in given and loser is not None and loser != version:
        moved[PREVIOUS] = loser
    if len(moved) > MAX_LABELS:
        raise errors.LimitExceededError(
            f"A secret can have {MAX_LABELS} staging labels across all of its versions at most."
        )
    return moved


def move(stages: Stages, label: str, source: str | None, target: str | None) -> dict[str, str]:
    """Return stages with a label moved from a version, to one, or both. Raises InvalidParameter."""
    holder = stages.get(label)
    if source is None and target is None:
        raise errors.InvalidParameter("You must provide RemoveFromVersionId, MoveToVersionId, or both.")
    if source is None and holder not in (None, target):
        raise errors.InvalidParameter(
            f"The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to "
            f"version {holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )
    if source is not None and holder != source:
        attached = f"attached to version {holder}" if holder else "not attached to any version"
        raise errors.InvalidParameter(
            f"Staging label {label} is currently {attached}, not to the version in RemoveFromVersionId, {source}."
        )
    if target is not None:
        return attach(stages, (label,), target)
    if label == CURRENT:
        raise errors.InvalidParameter(
            f"You can only move staging label {CURRENT} to a different secret version. It can't be completely removed."
        )
    return {each: version for each, version in stages.items() if each != label}
