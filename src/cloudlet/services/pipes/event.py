"""Events on their way through a pipe: the records of its source, and what an enrichment makes of them."""

from __future__ import annotations

from typing import Any

import msgspec

from cloudlet.core.aws.polling.source_record import Record

Event = Record
"""One without an id was made by an enrichment."""


def decoded(event: Event) -> Any:
    """Return an event with the body of a message as JSON, where it is some, for filters and paths.

    User guide, "Amazon EventBridge Pipes input transformation", "Implicit body data parsing".
    """
    document = event.document
    if not isinstance(document, dict) or document.get("eventSource") != "aws:sqs":
        return document
    return {**document, "body": _decoded(document.get("body"))}


def _decoded(body: Any) -> Any:
    """Return a message's body as JSON where it is an object or an array."""
    if not isinstance(body, str) or not body.lstrip().startswith(("{", "[")):
        return body
    try:
        return msgspec.json.decode(body)
    except (ValueError, RecursionError):
        return body
