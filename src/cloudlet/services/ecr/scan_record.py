"""Scans of images, and what they have found, as they are stored."""

from __future__ import annotations

from typing import Final

import msgspec

IN_PROGRESS, COMPLETE, FAILED, UNSUPPORTED_IMAGE = "IN_PROGRESS", "COMPLETE", "FAILED", "UNSUPPORTED_IMAGE"
"""The statuses of scans: the first is followed by any other one, which lasts."""
SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED")


class Scan(msgspec.Struct, frozen=True, omit_defaults=True):
    """The last scan of an image. Times are in seconds since the epoch."""

    status: str
    description: str = ""
    begun: float = 0.0
    """The time at which it was asked for; 0 without a scanner."""
    completed: float = 0.0
    updated: float = 0.0
    """The time of the vulnerability database; 0 where the scanner does not say."""
    counts: dict[str, int] = {}
    """Severities → how many findings have them."""


class Finding(msgspec.Struct, frozen=True, array_like=True):
    """A vulnerability of a package in an image."""

    name: str
    severity: str
    uri: str
    description: str
    attributes: dict[str, str]
