"""Sending: a composed message is stored, or recognised as a duplicate."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.core import Transaction
from cloudlet.services.sqs import contents, fifo, messages
from cloudlet.services.sqs.groups import next_number
from cloudlet.services.sqs.messages import Message
from cloudlet.services.sqs.queue import Queue
from cloudlet.services.sqs.sequence import Sequence
from cloudlet.store.tuple_keys import pack_int

_sequence: Final = Sequence()


async def send(tx: Transaction, queue: Queue, message: Message, system_md5: str | None, now: float) -> dict[str, Any]:
    """Store a message and return what SendMessage answers."""
    millis = int(now * 1000)
    result: dict[str, Any] = {"MD5OfMessageBody": message.md5, "MessageId": message.id}
    if queue.fifo:
        result["MessageId"], seq = await _send_fifo(tx, queue, message, millis)
        result["SequenceNumber"] = messages.sequence_number(seq)
    elif message.group is None and not message.due:
        contents.add_visible(tx, queue, pack_int(_sequence.next(now)), message)
    else:
        await contents.add(tx, queue, pack_int(_sequence.next(now)), message, millis)
    if message.attributes_md5 is not None:
        result["MD5OfMessageAttributes"] = message.attributes_md5
    if system_md5 is not None:
        result["MD5OfMessageSystemAttributes"] = system_md5
    return result


async def _send_fifo(tx: Transaction, queue: Queue, message: Message, now: int) -> tuple[str, int]:
    """Store a message, unless it repeats one; return the id and the place of the one that is stored."""
    earlier = await fifo.duplicate_of(tx, queue, message, now)
    if earlier is not None:
        return earlier
    seq = await next_number(tx, queue)
    await contents.add(tx, queue, pack_int(seq), message, now)
    await fifo.remember(tx, queue, message, seq, now)
    return message.id, seq


async def move(tx: Transaction, queue: Queue, message: Message, now: float, place: bytes | None = None) -> None:
    """Store a message that comes from another queue, in its old place or as the newest."""
    if queue.fifo:
        place = pack_int(await next_number(tx, queue))
    elif place is None:
        place = pack_int(_sequence.next(now))
    await contents.add(tx, queue, place, message, int(now * 1000))
