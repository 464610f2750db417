"""Text messages: what a carrier would get, written to a file instead.

Developer Guide, "Sending SMS messages" and "Publishing SMS messages": what the account's settings say of sender and
type, a message's own attributes override.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cloudlet.core.kernel.block import Block
from cloudlet.services.sns import journal, sms_settings
from cloudlet.services.sns.message import Attribute, Message

_SENDER_ID = "AWS.SNS.SMS.SenderID"
_TYPE = "AWS.SNS.SMS.SMSType"


async def deliver(block: Block, number: str, message: Message, *, account: str, region: str) -> None:
    """Write a message down for a phone, under the settings of an account; return once it is on disk."""
    await send(
        block,
        number,
        message.body_for("sms"),
        account=account,
        region=region,
        id=message.id,
        topic_arn=message.topic or None,
        attributes=message.attributes,
    )


async def send(
    block: Block,
    number: str,
    text: str,
    *,
    account: str,
    region: str,
    id: str | None = None,
    topic_arn: str | None = None,
    attributes: Mapping[str, Attribute] | None = None,
) -> None:
    """Write a text down for a phone, under the settings of an account; return once it is on disk."""
    settings = await block.store.transact(lambda tx: sms_settings.of_account(tx, account, region))
    given = {name: attribute.value for name, attribute in (attributes or {}).items()}
    record = {
        "time": datetime.fromtimestamp(block.clock.now(), UTC).isoformat(timespec="milliseconds"),
        "messageId": id,
        "topicArn": topic_arn,
        "account": account,
        "region": region,
        "phoneNumber": number,
        "senderId": given.get(_SENDER_ID, settings.get("DefaultSenderID")),
        "smsType": given.get(_TYPE, settings.get("DefaultSMSType", "Promotional")),
        "message": text,
        "attributes": given,
    }
    await journal.append(_file(block), record)


async def page(block: Block) -> tuple[str, bytes]:
    """Return the newest 100 text messages, as a JSON list."""
    return await journal.page(_file(block))


def _file(block: Block) -> Path:
    return block.cloud.config.data / "sms.jsonl"
