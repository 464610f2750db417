"""PutEvents: what an entry must be, and the event that it becomes. API reference, "PutEvents"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError, Context, Transaction
from cloudlet.core.authorization.condition_keys import Keys
from cloudlet.core.aws import utf8
from cloudlet.core.aws.json_depth import is_deeper
from cloudlet.core.background.workers import LARGE
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.events import access, bus, errors, event, large_events, matching, receiving
from cloudlet.services.events.bus_record import Bus
from cloudlet.services.events.event_record import Event
from cloudlet.services.events.large_events import Matched
from cloudlet.services.events.matching import Quick
from cloudlet.services.events.receiving import BusSubscribers
from cloudlet.wire import json_text

_BYTES: Final = 1_048_576
_TIME_BYTES: Final = 14
_LEVELS: Final = 1000
_MOST_CHARACTERS: Final = (("Source", 256), ("DetailType", 128), ("Detail", _BYTES))
Entry = Mapping[str, Any]


def checked_size(entries: list[Entry]) -> int:
    """Return the bytes of entries (user guide, "Calculating PutEvents event entry size"). Raises AwsError."""
    size = sum(map(_size, entries))
    if size > _BYTES:
        raise errors.validation("Total size of the entries in the request is over the limit.")
    return size


def _size(entry: Entry) -> int:
    get = entry.get
    size = _bytes(get("Source")) + _bytes(get("DetailType")) + _bytes(get("Detail"))
    if get("Resources"):
        size += sum(map(_bytes, entry["Resources"]))
    return size if get("Time") is None else size + _TIME_BYTES


def _bytes(text: str | None) -> int:
    return utf8.size(text) if text else 0


class RequestDenial(Exception):
    """Entries that the caller may not put on its own account's buses.

    No entry of the request is put.
    """

    def __init__(self, error: AwsError) -> None:
        super().__init__(str(error))
        self.error = error


class Prepared(NamedTuple):
    """A large entry: what its detail says, the event that it becomes, and who takes that once it was looked for."""

    detail: dict[str, Any]
    event: Event
    receiver: BusSubscribers
    matched: Matched | None = None


async def prepared(ctx: Context, entries: list[Entry]) -> list[Prepared | None]:
    """Return the large ones of entries, with who takes them."""

    async def body(tx: Transaction) -> list[Prepared | None]:
        putting = Putting(ctx, tx, None)
        return [await putting.prepare(entry) for entry in entries]

    return [None if each is None else await _matched(ctx.account, each) for each in await ctx.transact(body)]


async def _matched(account: str, entry: Prepared) -> Prepared:
    document = event.document(entry.event, entry.detail)
    return entry._replace(matched=await large_events.matched(account, entry.receiver, document))


class Putting:
    """The entries of a request, put in a transaction."""

    def __init__(self, ctx: Context, tx: Transaction, quick: Quick | None) -> None:
        """Where `quick` is given, quick deliveries are added to it and not written down."""
        self._ctx = ctx
        self._tx = tx
        self._quick = quick
        self._now = ctx.now()
        self._trace = ctx.trace or ""
        self._deliveries = 0
        self._found: dict[str | None, tuple[Bus, BusSubscribers | None]] = {}
        """By how entries name a bus, which may not be there and has nothing then."""

    async def put_some(self, entries: list[Entry], prepared: Sequence[Prepared | None]) -> list[dict[str, str]]:
        """Put entries on their buses, the first of them or all; return what the answer says of each."""
        answers: list[dict[str, str]] = []
        for entry, each in zip(entries, prepared, strict=True):
            answers.append(await self.put(entry, each))
            if self._deliveries >= matching.MOST_DELIVERIES:
                break
        return answers

    async def put(self, entry: Entry, prepared: Prepared | None = None) -> dict[str, str]:
        """Put an entry on its bus; return what the answer says of it."""
        try:
            return {"EventId": await self._put(entry, prepared)}
        except AwsError as error:
            # An entry that is refused needs no decision.
            self._ctx.was_decided = True
            return {"ErrorCode": error.code, "ErrorMessage": error.message}

    async def _put(self, entry: Entry, prepared: Prepared | None) -> str:
        """Put an entry on its bus; return the id of the event. Raises AwsError."""
        detail = _checked(entry) if prepared is None else prepared.detail
        receiver = await self._receiver(entry)
        # As on AWS, what is put on a bus that is not there is taken, and goes nowhere.
        if receiver is None or receiver.is_idle:
            return uuid4()
        made = self._made(entry) if prepared is None else prepared.event
        document = event.document(made, detail)
        takers = None if prepared is None or prepared.matched is None else prepared.matched.of(receiver)
        trace = entry.get("TraceHeader") or self._trace
        text = event.text(made)
        self._deliveries += matching.receive(
            self._tx, receiver, text, document, self._now, trace=trace, quick=self._quick, takers=takers
        )
        return made.id

    async def prepare(self, entry: Entry) -> Prepared | None:
        """Return what a large entry becomes, None where that is of no use: small, refused, or taken by nobody."""
        if _size(entry) < LARGE:
            return None
        try:
            detail = _checked(entry)
            receiver = await self._receiver(entry)
        except (AwsError, RequestDenial):
            return None
        if receiver is None or receiver.is_idle:
            return None
        return Prepared(detail, self._made(entry), receiver)

    async def _receiver(self, entry: Entry) -> BusSubscribers | None:
        """Return what the bus of an entry has for it, None where there is no such bus. Raises AwsError."""
        if entry["Source"].startswith("aws.") and self._ctx.principal.kind != "service":
            raise AwsError("NotAuthorizedForSourceException", "Not authorized for the source.")
        named = entry.get("EventBusName")
        if named not in self._found:
            self._found[named] = await self._find(named)
        into, receiver = self._found[named]
        if self._ctx.strict:
            await self._authorize(into, access.make_event_keys(entry["Source"], entry["DetailType"]))
        return receiver

    async def _authorize(self, into: Bus, keys: Keys) -> None:
        """Raise unless the caller may put an event.

        For a bus of its own account that is a RequestDenial, else an AwsError.
        """
        try:
            await access.authorize(self._ctx, self._tx, into, "PutEvents", make_keys=lambda: keys)
        except AwsError as error:
            if into.account == self._ctx.principal.account and self._ctx.principal.kind != "service":
                raise RequestDenial(error) from error
            raise

    def _made(self, entry: Entry) -> Event:
        """Make an entry an event."""
        time = entry.get("Time")
        return event.made(
            entry["Source"],
            entry["DetailType"],
            self._ctx.account,
            self._ctx.region,
            self._now if time is None else time,
            entry.get("Resources") or (),
            entry["Detail"],
        )

    async def _find(self, named: str | None) -> tuple[Bus, BusSubscribers | None]:
        """Return the bus that an entry names, and its subscribers if it is there.

        Raises AwsError.
        """
        try:
            place = bus.place_of(self._ctx, named)
        except AwsError as error:
            raise _invalid("EventBusName", error.message) from None
        found = await bus.find(self._tx, place)
        return (Bus(*place), None) if found is None else (found, await receiving.of_bus(self._tx, place))


def _checked(entry: Entry) -> dict[str, Any]:
    """Return what the detail of an entry says. Raises AwsError where it is no event."""
    for name, most in _MOST_CHARACTERS:
        text = entry.get(name)
        if not text:
            raise _invalid(name, f"{name} is a required argument.")
        if len(text) > most:
            raise _invalid(name, f"{name} is longer than {most} characters.")
    if not 0 <= (entry.get("Time") or 0) < event.LATEST:
        raise _invalid("Time", "it is out of range.")
    try:
        detail = json_text.decode(entry["Detail"])
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
