"""Enrichment: what the pipe goes on with instead of its events. User guide, "Event enrichment"."""

from __future__ import annotations

import msgspec

from cloudlet.core import Arn
from cloudlet.core.kernel.block import Block
from cloudlet.services.pipes import checking, destination, function
from cloudlet.services.pipes.event import Event
from cloudlet.services.pipes.pipe import Pipe
from cloudlet.services.pipes.stage import StageFailed


async def enriched(block: Block, pipe: Pipe, events: list[Event], texts: list[str]) -> list[Event]:
    """Return what an enrichment makes of events, which it gets as texts; nothing where nothing is to go on.

    Each is known by the id that it has of the event that it came of (User guide, "Partial batch failure"); where there
    are as many as there were, they need none. Raises AwsError or StageFailed.
    """
    arn = Arn.parse(pipe.enrichment)
    if checking.is_http(arn):
        http = pipe.enrichment_parameters.get("HttpParameters") or {}
        answers = [
            await destination.invoke(block, pipe, arn, event, text, http)
            for event, text in zip(events, texts, strict=True)
        ]
        found = [_decoded(answer) for answer in answers if answer.strip()]
        answer = found[0] if len(found) == 1 else found
    else:
        answer = await function.invoke(block, pipe, arn, texts)
    if answer is None or answer in ("", {}):
        return []
    made = answer if isinstance(answer, list) else [answer]
    known = {event.id: event for event in events}
    places = events if len(made) == len(events) else [Event("", None)] * len(made)
    return [
        known.get(_id_of(document), place)._replace(document=document)
        for document, place in zip(made, places, strict=True)
    ]


def _id_of(document: object) -> str:
    """Return the id of a message, or of the event of a change, that an answer has; empty without one."""
    if not isinstance(document, dict):
        return ""
    return str(document.get("messageId") or document.get("eventID") or "")


def _decoded(answer: bytes) -> object:
    try:
        return msgspec.json.decode(answer)
    except (ValueError, RecursionError) as error:
        raise StageFailed("InvalidResponse", f"the enrichment answered no JSON: {error}") from None
