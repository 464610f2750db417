"""PutEvents: what an entry must be, and the event that it becomes. API reference, "PutEvents"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.ids import uuid4
from cloudlet.core.json_depth import is_deeper
from cloudlet.services.events import access, bus, errors, event, matching, receiving
from cloudlet.services.events.bus import Bus, Place
from cloudlet.services.events.matching import Quick
from cloudlet.services.events.receiving import Receiver

_BYTES = 262_144
_TIME_BYTES = 14
_LEVELS = 1100
_DETAIL_TYPE_CHARACTERS = 128
_SOURCE_CHARACTERS = 256
Entry = Mapping[str, Any]
_decode = msgspec.json.Decoder().decode


def check_size(entries: list[Entry]) -> None:
    """Raise AwsError where the entries are too large (user guide, "Calculating PutEvents event entry size")."""
    if sum(map(_size, entries)) > _BYTES:
        raise errors.validation("Total size of the entries in the request is over the limit.")


def _size(entry: Entry) -> int:
    get = entry.get
    size = _bytes(get("Source")) + _bytes(get("DetailType")) + _bytes(get("Detail"))
    if get("Resources"):
        size += sum(map(_bytes, entry["Resources"]))
    return size if get("Time") is None else size + _TIME_BYTES


def _bytes(text: str | None) -> int:
    if not text:
        return 0
    return len(text) if text.isascii() else len(text.encode())


class Putting:
    """The entries of a request, put in a transaction."""

    def __init__(self, ctx: Context, tx: Transaction, quick: Quick | None) -> None:
        """Where `quick` is given, quick deliveries are added to it and not written down."""
        self._ctx = ctx
        self._tx = tx
        self._quick = quick
        self._now = ctx.now()
        self._trace = ctx.trace or ""
        self._known: dict[Place, tuple[Bus, Receiver] | None] = {}

    async def put(self, entry: Entry) -> dict[str, str]:
        """Put an entry on its bus; return what the answer says of it."""
        try:
            return {"EventId": await self._put(entry)}
        except AwsError as error:
            return {"ErrorCode": error.code, "ErrorMessage": error.message}

    async def _put(self, entry: Entry) -> str:
        """Put an entry on its bus; return the id of the event. Raises AwsError."""
        detail = _checked(entry)
        place = _place(self._ctx, entry)
        if place not in self._known:
            self._known[place] = await self._find(place)
        found = self._known[place]
        # As on AWS, what is put on a bus that is not there is taken, and goes nowhere.
        if found is None:
            return uuid4()
        into, receiver = found
        access.authorize(self._ctx, into, "PutEvents", event_keys(entry))
        return uuid4() if receiver.is_idle else self._receive(receiver, entry, detail)

    def _receive(self, receiver: Receiver, entry: Entry, detail: dict[str, Any]) -> str:
        """Make an entry an event that a bus receives; return its id."""
        time = entry.get("Time")
        made = event.made(
            source=entry["Source"],
            kind=entry["DetailType"],
            account=self._ctx.account,
            region=self._ctx.region,
            time=self._now if time is None else time,
            resources=entry.get("Resources") or (),
            detail=entry["Detail"],
        )
        trace = entry.get("TraceHeader") or self._trace
        document = made.document(detail)
        matching.receive(self._tx, receiver, made.text, document, self._now, trace=trace, quick=self._quick)
        return made.id

    async def _find(self, place: Place) -> tuple[Bus, Receiver] | None:
        found = await bus.find(self._tx, place)
        return None if found is None else (found, await receiving.of_bus(self._tx, place))


def _place(ctx: Context, entry: Entry) -> Place:
    """Return the bus that an entry is for. Raises AwsError where it may not be put."""
    source = entry["Source"]
    if source.startswith("aws.") and ctx.principal.kind != "service":
        raise AwsError("NotAuthorizedForSourceException", "Not authorized for the source.")
    try:
        return bus.place_of(ctx, entry.get("EventBusName"))
    except AwsError as error:
        raise _invalid("EventBusName", error.message) from None


def event_keys(entry: Entry) -> dict[str, str]:
    """Return the condition keys of putting an entry (user guide, "Using IAM policy conditions")."""
    return {"events:source": entry["Source"], "events:detail-type": entry["DetailType"]}


def _checked(entry: Entry) -> dict[str, Any]:
    """Return what the detail of an entry says. Raises AwsError where it is no event."""
    for name, most in (("Source", _SOURCE_CHARACTERS), ("DetailType", _DETAIL_TYPE_CHARACTERS), ("Detail", _BYTES)):
        if not entry.get(name):
            raise _invalid(name, f"{name} is a required argument.")
        if len(entry[name]) > most:
            raise _invalid(name, f"{name} is longer than {most} characters.")
    if not 0 <= (entry.get("Time") or 0) < event.LATEST:
        raise _invalid("Time", "it is out of range.")
    try:
        detail = _decode(entry["Detail"])
    except (ValueError, RecursionError):
        raise AwsError("MalformedDetail", "Detail is malformed.") from None
    if not isinstance(detail, dict) or (_may_be_deep(entry["Detail"]) and is_deeper(detail, _LEVELS)):
        raise AwsError("MalformedDetail", "Detail is malformed.")
    return detail


def _may_be_deep(text: str) -> bool:
    """Whether so much begins in a JSON text that it can be nested too deeply."""
    return text.count("{") + text.count("[") > _LEVELS


def _invalid(name: str, reason: str) -> AwsError:
    return AwsError("InvalidArgument", f"Parameter {name} is not valid. Reason: {reason}")
