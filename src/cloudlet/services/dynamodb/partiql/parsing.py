"""Statements are read so that nobody waits for long ones: those beside the event loop, many short ones in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from cloudlet.core import AwsError
from cloudlet.core.background.workers import LARGE, offload_if
from cloudlet.services.dynamodb.partiql.parser import parse
from cloudlet.services.dynamodb.partiql.statements import Statement

_LONG: Final = 1_000
"""Characters of a statement that take milliseconds."""

_encode = msgspec.msgpack.Encoder().encode


async def parsed(account: str, given: Mapping[str, Any]) -> Statement:
    """Return a statement with its parameters filled in, for an account. Raises AwsError."""
    text, parameters = given["Statement"], given.get("Parameters") or ()
    takes_long = len(text) > _LONG or len(_encode(parameters)) > LARGE
    return await offload_if(takes_long, account, parse, text, parameters)


async def all_parsed(account: str, given: Sequence[Mapping[str, Any]]) -> list[Statement | AwsError]:
    """Return statements with their parameters filled in, or the errors of those that are wrong."""
    found: list[Statement | AwsError] = []
    characters = 0
    for each in given:
        if characters > _LONG:
            characters = 0
            await asyncio.sleep(0)
        characters += len(each["Statement"])
        try:
            found.append(await parsed(account, each))
        except AwsError as error:
            found.append(error)
    return found
