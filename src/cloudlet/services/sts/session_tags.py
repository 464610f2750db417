"""Session tags, and those that a chain of roles hands on. IAM User Guide, "Pass session tags in AWS STS"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from unicodedata import category

from cloudlet.core.kernel.session_details import SessionDetails
from cloudlet.services.sts.errors import ValidationError

MAX_TAGS: Final = 50
MAX_KEY_CHARACTERS: Final = 128
MAX_VALUE_CHARACTERS: Final = 256


@dataclass(frozen=True, slots=True)
class SessionTags:
    """The tags of a session, and the keys of those that later sessions inherit."""

    tags: Mapping[str, str]
    transitive: tuple[str, ...]

    def to_keys(self) -> dict[str, str | Sequence[str]]:
        """Return the condition keys of a request that passes these tags."""
        if not self.tags:
            return {}
        keys: dict[str, str | Sequence[str]] = {f"aws:RequestTag/{key}": value for key, value in self.tags.items()}
        keys["aws:TagKeys"] = tuple(self.tags)
        if self.transitive:
            keys["sts:TransitiveTagKeys"] = self.transitive
        return keys


def make_session_tags(
    passed: Iterable[tuple[str, str]], transitive: Iterable[str] = (), caller: SessionDetails | None = None
) -> SessionTags:
    """Return the tags of a new session: those passed, and those inherited from the caller's. Raises AwsError."""
    tags: dict[str, str] = {}
    seen: set[str] = set()
    for key, value in passed:
        if key.lower().startswith("aws:"):
            raise ValidationError(f"Tag key {key} is reserved: keys must not begin with aws:")
        if not _is_text(key, MAX_KEY_CHARACTERS) or not key or not _is_text(value, MAX_VALUE_CHARACTERS):
            raise ValidationError(f"The tag {key[:MAX_KEY_CHARACTERS]} has a key or a value that tags cannot have")
        if key.lower() in seen:
            raise ValidationError("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
        seen.add(key.lower())
        tags[key] = value
    if len(tags) > MAX_TAGS:
        raise ValidationError(f"A session has {MAX_TAGS} tags at most")
    handed_on = tuple(dict.fromkeys(transitive))
    if any(key.lower() not in seen for key in handed_on):
        raise ValidationError("The specified transitive tag key must be included in the requested tags.")
    inherited = {} if caller is None else {key: caller.tags[key] for key in caller.transitive_tags}
    if any(key.lower() in seen for key in inherited):
        raise ValidationError(
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from "
            "the calling session."
        )
    return SessionTags({**inherited, **tags}, (*inherited, *handed_on))


def _is_text(text: str, limit: int) -> bool:
    """Whether a text has the characters of tags: letters, numbers, separators and some others."""
    return len(text) <= limit and all(each in "_.:/=+-@" or category(each)[0] in "LNZ" for each in text)
