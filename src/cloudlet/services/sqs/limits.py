"""The quotas of SQS (Developer Guide, "Amazon SQS quotas") and the checks of plain request parameters against them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.services.sqs import errors

MESSAGE_BYTES: Final = 1_048_576
BATCH_ENTRIES: Final = 10
RECEIVED_MESSAGES: Final = 10
MESSAGE_ATTRIBUTES: Final = 10
IN_FLIGHT: Final = 120_000
"""Messages in flight per queue: beyond it a standard queue answers OverLimit and a FIFO queue nothing."""
DELAY_SECONDS: Final = 900
VISIBILITY_SECONDS: Final = 43_200
WAIT_SECONDS: Final = 20
DEDUPLICATION_SECONDS: Final = 300
PURGE_SECONDS: Final = 60
DELETED_SECONDS: Final = 60
LISTED: Final = 1_000
TAGS: Final = 50
MOVE_TASKS: Final = 100
"""Message move tasks under way, for an account in a region."""
MOVE_TASK_SECONDS: Final = 36 * 3600
MOVE_TASKS_LISTED: Final = 10
MOVED_PER_SECOND: Final = 500
POLICY_ACTIONS: Final = 7
POLICY_BYTES: Final = 8_192
POLICY_STATEMENTS: Final = 20

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_FIFO_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,75}\.fifo")
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,80}")
_TOKEN: Final = re.compile(r"[!-~]{1,128}")
_WITHOUT_FORBIDDEN: Final = bytes(byte if byte >= 0x20 or byte in b"\t\n\r" else 0x20 for byte in range(256))
_FORBIDDEN: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def check_queue_name(name: str, fifo: bool) -> None:
    """Raise unless a queue of this kind may have this name."""
    if not (_FIFO_NAME if fifo else _NAME).fullmatch(name):
        if fifo:
            raise errors.invalid_parameter(
                "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, "
                "must end with .fifo suffix and be 1 to 80 in length."
            )
        raise errors.invalid_parameter(
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        )


def is_batch_id(text: str) -> bool:
    """Whether `text` may name an entry of a batch."""
    return _LABEL.fullmatch(text) is not None


def check_label(label: str) -> None:
    """Raise unless `label` may name a permission."""
    if not _LABEL.fullmatch(label):
        raise errors.invalid_value(
            "Label", label, "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length."
        )


def check_token(name: str, value: str) -> None:
    """Raise unless `value` may be a message group id, a deduplication id or a receive request attempt id."""
    if not _TOKEN.fullmatch(value):
        raise errors.invalid_value(
            name, value, f"{name} can only include alphanumeric and punctuation characters. 1 to 128 in length."
        )


def forbidden_character(text: str) -> str | None:
    """Return the first character that no message may contain, as AWS names it (`#x7`), or None."""
    if text.isascii():
        # Quicker than a pattern.
        raw = text.encode()
        if raw.translate(_WITHOUT_FORBIDDEN) == raw:
            return None
    found = _FORBIDDEN.search(text)
    return f"#x{ord(found[0]):X}" if found else None


def bounded(params: Mapping[str, Any], name: str, high: int, reason: str) -> int | None:
    """Return an optional integer parameter. Raises unless 1 <= it <= high."""
    value = params.get(name)
    if value is None:
        return None
    if not 1 <= value <= high:
        raise errors.invalid_value(name, value, reason)
    return int(value)


def page_size(params: Mapping[str, Any]) -> int | None:
    """Return MaxResults of a list request."""
    return bounded(params, "MaxResults", LISTED, "MaxResults must be an integer between 1 and 1000")
