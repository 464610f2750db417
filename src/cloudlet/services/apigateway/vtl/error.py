"""What a template that is wrong, or goes too far, ends with."""

from __future__ import annotations


class VtlError(Exception):
    """A template cannot be read, or rendered."""
