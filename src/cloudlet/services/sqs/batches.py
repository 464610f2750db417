"""Batches: up to ten entries, each of which succeeds or fails by itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from cloudlet.core import AwsError
from cloudlet.services.sqs import errors, limits

Entry = Mapping[str, Any]


def checked(operation: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the entries of a batch. Raises AwsError where the batch as a whole is wrong."""
    if not entries:
        raise errors.empty_batch(operation)
    if len(entries) > limits.BATCH_ENTRIES:
        raise AwsError(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {limits.BATCH_ENTRIES}. You have sent {len(entries)}.",
        )
    seen = set()
    for entry in entries:
        name = entry["Id"]
        if not limits.is_batch_id(name):
            raise AwsError(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and underscores. "
                "It can be at most 80 letters long.",
            )
        if name in seen:
            raise AwsError("BatchEntryIdsNotDistinct", f"Id {name} repeated.")
        seen.add(name)
    return entries


async def each(entries: list[dict[str, Any]], act: Callable[[Entry], Awaitable[None]]) -> dict[str, Any]:
    """Do something for each entry and return the batch's result."""
    result: dict[str, Any] = {}
    for entry in entries:
        try:
            await act(entry)
        except AwsError as error:
            result.setdefault("Failed", []).append(error.of_entry(entry["Id"]))
        else:
            result.setdefault("Successful", []).append({"Id": entry["Id"]})
    return result
