"""Mobile push: what the notification services of Apple, Google and others would get, written to a file instead.

Developer Guide, "Sending custom platform-specific payloads to mobile devices": of a message with a structure, an
endpoint gets the text under its platform's name.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from cloudlet.core import AwsError
from cloudlet.core.kernel.block import Block
from cloudlet.services.sns import journal, platform
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.undeliverable import Undeliverable


async def deliver(block: Block, endpoint: str, message: Message) -> None:
    """Write a message down for the app on a device. Raises Undeliverable where the endpoint is gone or disabled."""
    try:
        application, found = await block.store.transact(lambda tx: platform.reachable(tx, endpoint))
    except AwsError as error:
        raise Undeliverable(error.message, permanent=True) from error
    record = {
        "time": datetime.fromtimestamp(block.clock.now(), UTC).isoformat(timespec="milliseconds"),
        "messageId": message.id,
        "topicArn": message.topic or None,
        "endpointArn": endpoint,
        "platform": application.platform,
        "token": found.token,
        "subject": message.subject,
        "message": message.body_for(application.platform),
        "attributes": {name: attribute.value for name, attribute in message.attributes.items()},
    }
    await journal.append(_file(block), record)


async def page(block: Block) -> tuple[str, bytes]:
    """Return the newest 100 pushes, as a JSON list."""
    return await journal.page(_file(block))


def _file(block: Block) -> Path:
    return block.cloud.config.data / "push.jsonl"
