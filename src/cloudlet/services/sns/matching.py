"""Matching messages with the filters of many subscriptions: beside the event loop where that may take long.

A body of 100,000 values and hundreds of filters take seconds; so does compiling filters, which have up to 256 KiB each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, ParamSpec, TypeVar

from cloudlet.core.background.workers import LARGE, offload_if
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.plan import Recipient

P = ParamSpec("P")
T = TypeVar("T")

_MANY: Final = 20_000
"""So many looks of filters at values of messages take some milliseconds."""
_TEST_CHARACTERS: Final = 16
"""A test is written with so many characters at least, as a rule."""


async def apart(
    account: str,
    recipients: Iterable[Recipient],
    messages: Iterable[Message],
    find: Callable[P, T],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """Return what a function returns that matches messages with the filters of recipients, for an account."""
    return await offload_if(takes_long(recipients, messages), account, find, *args, **kwargs)


def takes_long(recipients: Iterable[Recipient], messages: Iterable[Message]) -> bool:
    """Whether to match messages with the filters of recipients may take more than some milliseconds."""
    uncompiled = tests = 0
    for recipient in recipients:
        if recipient.is_filtered:
            characters, looks = recipient.effort
            uncompiled += characters
            tests += looks
    if not uncompiled and not tests:
        return False
    if uncompiled >= LARGE:
        return True
    size = values = 0
    for message in messages:
        for text in _texts(message):
            size += len(text)
            values += text.count(",") + 1
    # Of filters that are not compiled yet, each character may be of a test.
    return size >= LARGE or values * (tests + uncompiled // _TEST_CHARACTERS) >= _MANY


def _texts(message: Message) -> list[str]:
    attributes = [each.value for each in message.attributes.values() if isinstance(each.value, str)]
    return [message.bodies["default"], *attributes]
