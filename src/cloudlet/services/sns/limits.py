"""The quotas of SNS (AWS General Reference, "Amazon SNS endpoints and quotas") and what its names may look like."""

from __future__ import annotations

import re
from typing import Final

from cloudlet.services.sns import errors

MESSAGE_BYTES: Final = 262_144
"""The largest message or batch, where the topic's MaximumMessageSize does not say otherwise."""
LARGEST_MESSAGE_BYTES: Final = 1_048_576
SMALLEST_MAXIMUM_BYTES: Final = 1_024
LARGE_MESSAGE_SUBSCRIPTIONS: Final = 100
"""How many subscriptions a topic of messages above 256 KiB can have."""
BATCH_ENTRIES: Final = 10
SUBJECT_CHARACTERS: Final = 100
TOPICS: Final = 100_000
FIFO_TOPICS: Final = 1_000
SUBSCRIPTIONS: Final = 12_500_000
FIFO_SUBSCRIPTIONS: Final = 100
PENDING_SUBSCRIPTIONS: Final = 5_000
"""Of one account in one region."""
FILTER_POLICIES_OF_TOPIC: Final = 200
FILTER_POLICIES_OF_ACCOUNT: Final = 10_000
TOKEN_DAYS: Final = 2
"""How long a subscription can be confirmed (API reference, Subscribe)."""
LISTED: Final = 100
TAGS: Final = 50
DISPLAY_NAME_CHARACTERS: Final = 100
POLICY_BYTES: Final = 30_720
POLICY_STATEMENTS: Final = 100
DATA_PROTECTION_POLICY_CHARACTERS: Final = 30_720
CUSTOM_USER_DATA_BYTES: Final = 2_048
ENDPOINT_BYTES: Final = 2_048
ARCHIVE_DAYS: Final = 365
SANDBOX_NUMBERS: Final = 10

_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
_FIFO_NAME = re.compile(r"[A-Za-z0-9_-]{1,251}\.fifo")
_APPLICATION_NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
_LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
_PHONE_NUMBER = re.compile(r"\+[1-9][0-9]{5,14}")


def check_topic_name(name: str, *, fifo: bool) -> None:
    """Raise unless a topic of this kind may have this name."""
    if fifo and not _FIFO_NAME.fullmatch(name):
        raise errors.invalid_parameter(
            "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase ASCII letters, "
            "numbers, underscores, and hyphens, and must be between 1 and 256 characters long."
        )
    if not fifo and not _NAME.fullmatch(name):
        raise errors.invalid_parameter("Topic Name")


def check_application_name(name: str) -> None:
    """Raise unless a platform application may have this name."""
    if not _APPLICATION_NAME.fullmatch(name):
        raise errors.invalid_parameter("Name", "Name must match [A-Za-z0-9_.-]{1,256}")


def check_label(label: str) -> None:
    """Raise unless `label` may name a permission."""
    if not _LABEL.fullmatch(label):
        raise errors.invalid_parameter("Label")


def is_phone_number(text: str) -> bool:
    """Whether `text` is a telephone number in E.164 form, with its plus."""
    return _PHONE_NUMBER.fullmatch(text) is not None
