"""Event patterns of rules and archives, with EventBridge's error."""

from __future__ import annotations

from cloudlet.core.aws import event_pattern
from cloudlet.core.aws.event_pattern import Pattern
from cloudlet.core.aws.event_ruler import PatternError
from cloudlet.services.events import errors


def compile(text: str) -> Pattern:
    """Return the pattern of a JSON text. Raises InvalidEventPatternException."""
    try:
        return event_pattern.compile(text)
    except PatternError as error:
        raise errors.invalid_pattern(str(error)) from None
