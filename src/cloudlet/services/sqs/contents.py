"""What a queue holds: messages that are visible, delayed or in flight, and how many of each there are.

Everything follows the clock that is passed in: `settle` first makes visible whatever is due by then.
"""

from __future__ import annotations

from typing import Final

from cloudlet.core import Transaction
from cloudlet.services.sqs import fairness, flights
from cloudlet.services.sqs.flights import ALONE, TOGETHER, InFlightMessages
from cloudlet.services.sqs.groups import Group, Picked
from cloudlet.services.sqs.messages import Message, State, decode, encode, state_of
from cloudlet.services.sqs.queue import Queue, split_timer, timer_key
from cloudlet.store.tuple_keys import pack_int

_DELAYED: Final = b"\x01"
_DELAYED_IN_FIFO: Final = b"\x02"
_AT_ONCE: Final = 100

Received = tuple[bytes, Message, State]
"""A message in flight: its place, what was sent, and its state."""


async def add(tx: Transaction, queue: Queue, place: bytes, message: Message, now: int) -> None:
    """Put a message into a queue."""
    if not queue.fifo and message.group is None and message.due <= now:
        add_visible(tx, queue, place, message)
        return
    tx.put(queue.messages.prefix + place, encode(message))
    tx.add(queue.messages_count, 1)
    if queue.fifo:
        due = message.sent + queue.delay
        if due > now:
            count_delayed(tx, queue, due, place)
        await _show(tx, queue, place, State(sent=message.sent, group=message.group))
    elif message.due > now:
        tx.put(timer_key(queue.timers, message.due, place), _DELAYED + (message.group or "").encode())
        tx.add(queue.delayed_count, 1)
    else:
        await _show(tx, queue, place, State(sent=message.sent, group=message.group))
    tx.notify(queue.topic)


def add_visible(tx: Transaction, queue: Queue, place: bytes, message: Message) -> None:
    """Put a message of no group that is not delayed into a standard queue."""
    tx.put(queue.messages.prefix + place, encode(message))
    tx.put(queue.ready.prefix + place, b"")
    tx.add(queue.messages_count, 1)
    tx.notify(queue.topic)


def count_delayed(tx: Transaction, queue: Queue, due: int, place: bytes) -> None:
    """Count a message of a FIFO queue as delayed until it is due."""
    tx.put(timer_key(queue.timers, due, place), _DELAYED_IN_FIFO)
    tx.add(queue.delayed_count, 1)


async def _show(
    tx: Transaction,
    queue: Queue,
    place: bytes,
    state: State,
    *,
    was_in_flight: bool = False,
    has_come_back: bool = False,
) -> None:
    """Make a message visible."""
    if state.group is None:
        tx.put(queue.ready.prefix + place, encode(state))
        return
    if not queue.fifo and await tx.get(queue.grouped) is None:
        tx.put(queue.grouped, b"")
    group = await Group.read(tx, queue, state.group)
    group.add(tx, place, state)
    if was_in_flight:
        group.land(place)
    if has_come_back and queue.fifo and group.head == place:
        await group.send_to_end(tx)
    group.sent = max(group.sent, state.sent)
    group.write(tx)


async def settle(tx: Transaction, queue: Queue, now: int, at_most: int = _AT_ONCE) -> bytes | None:
    """Make messages visible whose delay or visibility timeout has ended by `now` (ms), up to `at_most`.

    Returns the key of the first timer that is left, or None.
    """
    timers = queue.timers
    rows = await tx.range(timers.begin, timers.end, limit=1)
    if not rows:
        return None
    bound = timers.prefix + pack_int(now + 1)
    if rows[0][0] >= bound:
        return rows[0][0]
    rows = await tx.range(timers.begin, timers.end, limit=at_most)
    for key, value in rows:
        if key >= bound or at_most <= 0:
            return key
        tx.delete(key)
        _, place = split_timer(timers, key)
        at_most -= 1
        if value == ALONE:
            await _land_alone(tx, queue, place)
        elif value.startswith(TOGETHER):
            landed = await flights.landed(tx, queue, key, value)
            await _land(tx, queue, landed)
            at_most -= len(landed)
        else:
            tx.add(queue.delayed_count, -1)
            if value != _DELAYED_IN_FIFO:
                await _show_delayed(tx, queue, place, value[1:].decode(), now)
    rest = await tx.range(timers.begin, timers.end, limit=1)
    return rest[0][0] if rest else None


async def _show_delayed(tx: Transaction, queue: Queue, place: bytes, group: str, now: int) -> None:
    if group:
        await _show(tx, queue, place, State(group=group, sent=now))
    else:
        tx.put(queue.ready.prefix + place, b"")


async def _land_alone(tx: Transaction, queue: Queue, place: bytes) -> None:
    state = await flights.alone(tx, queue, place)
    if state is not None:
        tx.delete(queue.in_flight.prefix + place)
        await _land(tx, queue, [(place, state)])


async def _land(tx: Transaction, queue: Queue, landed: list[tuple[bytes, State]]) -> None:
    """The visibility timeout of messages has ended."""
    tx.add(queue.in_flight_count, -len(landed))
    for place, state in landed:
        if not queue.fifo:
            await fairness.spent(tx, queue, state.group, state.received, state.due)
        await _show(tx, queue, place, state, was_in_flight=True, has_come_back=True)


async def visible_count(tx: Transaction, queue: Queue) -> int:
    """Return how many messages are visible; on a FIFO queue also those whose groups have others in flight."""
    hidden = await tx.counter(queue.in_flight_count) + await tx.counter(queue.delayed_count)
    return await tx.counter(queue.messages_count) - hidden


def is_due(queue: Queue, timer: bytes | None, now: int) -> bool:
    """Whether a timer that `settle` left has run out by `now` (ms)."""
    return timer is not None and timer < queue.timers.prefix + pack_int(now + 1)


async def put_back(tx: Transaction, queue: Queue, place: bytes, state: State) -> None:
    """Make a message visible again that was just taken from the visible ones."""
    await _show(tx, queue, place, state, was_in_flight=True, has_come_back=state.receives > 0)


async def messages(tx: Transaction, queue: Queue, picked: list[Picked]) -> list[Message | None]:
    """Return messages, None for those that are not there. As a rule they lie side by side."""
    if len(picked) == 1:
        return [await message(tx, queue, picked[0][0])]
    prefix = queue.messages.prefix
    places = [place for place, _ in picked]
    found = dict(await tx.range(prefix + min(places), prefix + max(places) + b"\x00", limit=len(places)))
    result = []
    for place in places:
        raw = found.get(prefix + place)
        result.append(await message(tx, queue, place) if raw is None else decode(raw))
    return result


async def message(tx: Transaction, queue: Queue, place: bytes) -> Message | None:
    """Return a message, or None.

    It is read as a range of one: messages are mostly read in their order, and the store reads ranges ahead.
    """
    key = queue.messages.prefix + place
    rows = await tx.range(key, queue.messages.end, limit=1)
    return decode(rows[0][1]) if rows and rows[0][0] == key else None


async def visible(tx: Transaction, queue: Queue, place: bytes, group: str | None) -> State | None:
    """Return the state of a visible message, or None."""
    if group is not None:
        return await (await Group.read(tx, queue, group)).find(tx, place)
    raw = await tx.get(queue.ready.prefix + place)
    return None if raw is None else state_of(raw)


async def hide(tx: Transaction, queue: Queue, place: bytes, state: State, due: int) -> None:
    """Put a visible message, which was received before, back in flight until `due` (ms)."""
    if state.group is None:
        tx.delete(queue.ready.prefix + place)
    else:
        group = await Group.read(tx, queue, state.group)
        await group.remove(tx, place)
        group.depart(place)
        group.write(tx)
    tx.add(queue.in_flight_count, 1)
    flights.continue_alone(tx, queue, place, state, due)


async def remove_in_flight(tx: Transaction, queue: Queue, left: dict[bytes, State], now: int) -> None:
    """Delete messages, by their places, that were in flight and have left it."""
    tx.add(queue.in_flight_count, -len(left))
    tx.add(queue.messages_count, -len(left))
    for place in left:
        tx.delete(queue.messages.prefix + place)
    if queue.fifo or await tx.get(queue.grouped) is not None:
        groups: dict[str, list[bytes]] = {}
        for place, state in left.items():
            if state.group is not None:
                groups.setdefault(state.group, []).append(place)
        for group, places in groups.items():
            await _settle_group(tx, queue, group, places)
        if not queue.fifo:
            for state in left.values():
                await fairness.spent(tx, queue, state.group, state.received, now)


async def remove_taken(tx: Transaction, queue: Queue, place: bytes, group: str | None) -> None:
    """Delete a message that is neither visible nor in flight: it was just taken from the visible ones."""
    tx.delete(queue.messages.prefix + place)
    tx.add(queue.messages_count, -1)
    if group is not None:
        await _settle_group(tx, queue, group, [place])


async def _settle_group(tx: Transaction, queue: Queue, name: str, places: list[bytes]) -> None:
    """Count messages of a group as in flight no more: they are gone."""
    group = await Group.read(tx, queue, name)
    for place in places:
        group.land(place)
    group.write(tx)
    if queue.fifo and group.is_available:
        tx.notify(queue.topic)


async def remove_visible(tx: Transaction, queue: Queue, place: bytes, group: str | None) -> None:
    """Delete a visible message."""
    tx.delete(queue.messages.prefix + place)
    tx.add(queue.messages_count, -1)
    if group is None:
        tx.delete(queue.ready.prefix + place)
        return
    owner = await Group.read(tx, queue, group)
    await owner.remove(tx, place)
    owner.write(tx)


async def remove(tx: Transaction, queue: Queue, place: bytes, message: Message, now: int) -> None:
    """Delete a message, wherever it is."""
    due = message.sent + queue.delay if queue.fifo else message.due
    delayed = timer_key(queue.timers, due, place)
    if due and await tx.get(delayed) is not None:
        tx.delete(delayed)
        tx.add(queue.delayed_count, -1)
        if not queue.fifo:
            tx.delete(queue.messages.prefix + place)
            tx.add(queue.messages_count, -1)
            return
    if await visible(tx, queue, place, message.group) is not None:
        await remove_visible(tx, queue, place, message.group)
        return
    state = await flights.alone(tx, queue, place)
    if state is not None:
        InFlightMessages(tx, queue).leave(place, state)
        await remove_in_flight(tx, queue, {place: state}, now)
        return
    flights.expire(tx, queue, place)
    tx.add(queue.in_flight_count, -1)
    await remove_taken(tx, queue, place, message.group)
