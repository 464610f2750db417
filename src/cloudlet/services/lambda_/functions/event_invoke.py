"""How asynchronous invocations are tried again, and where their results go.

Developer guide, "Configuring error handling settings for Lambda asynchronous invocations".
"""

from __future__ import annotations

import re

import msgspec

from cloudlet.services.lambda_ import errors
from cloudlet.services.lambda_.functions.settings import Setting

_DESTINATION = re.compile(
    r"arn:aws[a-zA-Z-]*:(sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+|sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]+"
    r"|lambda:[a-z0-9-]+:\d{12}:function:[A-Za-z0-9_-]+(:[A-Za-z0-9$_-]+)?"
    r"|events:[a-z0-9-]+:\d{12}:event-bus/[A-Za-z0-9._/-]+|s3:::[a-z0-9.-]+)",
    re.ASCII,
)


class EventInvoke(msgspec.Struct, frozen=True, kw_only=True):
    """What is set for asynchronous invocations. `modified` is in seconds since the epoch."""

    modified: float
    attempts: int | None = None
    """How often a failed one is tried again; None: twice."""
    age: int | None = None
    """For how long (s) an event may wait; None: six hours."""
    on_success: str = ""
    """The ARN of where the result goes; empty for nowhere."""
    on_failure: str = ""


EVENT_INVOKE = Setting("event-invoke", EventInvoke)


def check(setting: EventInvoke, function: str) -> None:
    """Raise AwsError for destinations that cannot be; `function` is the ARN of the function itself."""
    for arn in (setting.on_success, setting.on_failure):
        if not arn:
            continue
        if not _DESTINATION.fullmatch(arn):
            raise errors.invalid(f"The destination ARN {arn} is invalid.")
        if arn == function or arn.startswith(f"{function}:"):
            raise errors.invalid("You can't specify the function as a destination for itself.")
    if ":s3:::" in setting.on_success:
        raise errors.invalid(f"The destination ARN {setting.on_success} is invalid: S3 takes failed events only.")
