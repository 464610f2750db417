"""Delivery by mail: into a Maildir in the data folder or, where CLOUDLET_SMTP names a server, through that.

Developer Guide, "Email notifications". CLOUDLET_SMTP is smtp://user:password@host:port, or smtps:// for TLS from the
first byte; a connection of smtp:// turns to TLS where the server offers that. `?from=` says from whom mail comes.
"""

from __future__ import annotations

import asyncio
import logging
import os
import smtplib
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, default
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.ids import uuid4
from cloudlet.services.sns import notification
from cloudlet.services.sns.message import Message
from cloudlet.services.sns.notification import Confirmation
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic
from cloudlet.services.sns.undeliverable import Undeliverable
from cloudlet.store.folders import sync_folder

log = logging.getLogger("cloudlet.sns")

SERVER = "CLOUDLET_SMTP"
_SENDER = "no-reply@cloudlet.localhost"
_NAME = "AWS Notifications"
_SECONDS = 15.0
_REJECTED = 500
_threads = ThreadPoolExecutor(8, thread_name_prefix="sns-mail")
"""Writing a large mail takes milliseconds, and a server may not answer at all: that holds up nothing but mail."""


class Server(NamedTuple):
    """A mail server."""

    host: str
    port: int
    secure: bool
    user: str
    password: str
    sender: str


class Mail(NamedTuple):
    """What goes to one address. `sent` is in seconds since the epoch."""

    recipient: str
    name: str
    """Of whom it is from."""
    subject: str
    text: str
    sent: float


def of_message(
    message: Message, topic: Topic, subscribed: Subscription, endpoint: str, sent: float, envelope: str | None = None
) -> Mail:
    """Return a message as a reader gets it, who may unsubscribe at `endpoint`; or, as an envelope, a program."""
    link = notification.unsubscribe_url(endpoint, subscribed.arn)
    text = f"{message.body_for('email')}\n\n--\nTo stop receiving notifications from this topic, visit:\n{link}\n"
    subject = message.subject or "AWS Notification Message"
    return Mail(subscribed.endpoint, _name(topic), subject, envelope or text, sent)


def of_confirmation(
    told: Confirmation, topic: Topic, subscribed: Subscription, sent: float, envelope: str | None = None
) -> Mail:
    """Return what a reader is told about his subscription or, as an envelope, a program."""
    if told.kind == notification.SUBSCRIPTION_CONFIRMATION:
        subject = "AWS Notification - Subscription Confirmation"
        text = (
            f"You have chosen to subscribe to the topic:\n{told.topic_arn}\n\n"
            f"To confirm this subscription, visit (if this was in error, nothing needs to be done):\n{told.url}\n"
        )
    else:
        subject = "AWS Notification - Unsubscribe Confirmation"
        text = (
            f"Your subscription to the topic below has been deleted:\n{told.topic_arn}\n\n"
            f"If this was in error, visit this to subscribe again:\n{told.url}\n"
        )
    return Mail(subscribed.endpoint, _name(topic), subject, envelope or text, sent)


def _name(topic: Topic) -> str:
    return topic.attributes.get("DisplayName") or _NAME


async def send(block: Block, mail: Mail) -> None:
    """Bring a mail on its way; return once a disk or a server has it. Raises Undeliverable, OSError."""
    given = os.environ.get(SERVER, "")
    try:
        server = server_of(given) if given else None
    except ValueError as error:
        log.error("no mail can be sent: %s: %s", SERVER, error)
        raise Undeliverable(f"{SERVER}: {error}", permanent=False) from error
    folder = block.cloud.config.data / "mail"
    await asyncio.get_running_loop().run_in_executor(_threads, _send, mail, server, folder)


def _send(mail: Mail, server: Server | None, folder: Path) -> None:
    if server is None:
        _store(folder, compose(mail, _SENDER).as_bytes(policy=default), int(mail.sent))
    else:
        hand_over(server, compose(mail, server.sender))


@lru_cache(1)
def server_of(url: str) -> Server:
    """Return the server of a URL. Raises ValueError, without the password in it."""
    parts = urlsplit(url)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise ValueError("must be smtp://user:password@host:port, or smtps://…")
    secure = parts.scheme == "smtps"
    sender = parse_qs(parts.query).get("from", [_SENDER])[0]
    return Server(
        parts.hostname,
        parts.port or (465 if secure else 587),
        secure,
        unquote(parts.username or ""),
        unquote(parts.password or ""),
        sender,
    )


def compose(mail: Mail, sender: str) -> EmailMessage:
    """Return a mail in its written form. Raises Undeliverable for an address that is none."""
    written = EmailMessage(SMTP)
    try:
        written["From"] = Address(_line(mail.name), addr_spec=sender)
        written["To"] = Address(addr_spec=mail.recipient)
    except (ValueError, IndexError, MessageError) as error:
        raise Undeliverable(f"no mail can be sent to {mail.recipient}: {error}", permanent=True) from error
    written["Subject"] = _line(mail.subject)
    written["Date"] = datetime.fromtimestamp(mail.sent, UTC)
    written["Message-ID"] = f"<{uuid4()}@{sender.rpartition('@')[2]}>"
    written.set_content(mail.text)
    return written


def _line(text: str) -> str:
    """Return a text that may stand in a header."""
    return "".join([character if character.isprintable() else " " for character in text])


def _store(folder: Path, content: bytes, now: int) -> None:
    """Put a mail into a Maildir (https://cr.yp.to/proto/maildir.html), on disk."""
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    name = f"{now}.{uuid4()}.cloudlet"
    written = folder / "tmp" / name
    with written.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    written.rename(folder / "new" / name)
    sync_folder(folder / "new")


def hand_over(server: Server, mail: EmailMessage) -> None:
    """Give a mail to the server. Raises Undeliverable."""
    try:
        with _connected(server) as connection:
            if server.user:
                connection.login(server.user, server.password)
            connection.send_message(mail)
    except smtplib.SMTPRecipientsRefused as error:
        ((code, reason),) = error.recipients.values()
        raise Undeliverable(f"{code} {reason.decode(errors='replace')}", permanent=code >= _REJECTED) from error
    except smtplib.SMTPDataError as error:
        raise Undeliverable(str(error), permanent=error.smtp_code >= _REJECTED) from error
    except (OSError, ValueError) as error:
        # What is wrong with the server or with our account there may be put right.
        log.warning("no mail can be sent by %s:%s: %s", server.host, server.port, error)
        raise Undeliverable(f"{server.host}:{server.port}: {error}", permanent=False) from error


def _connected(server: Server) -> smtplib.SMTP:
    if server.secure:
        return smtplib.SMTP_SSL(
            server.host, server.port, socket.gethostname(), timeout=_SECONDS, context=ssl.create_default_context()
        )
    connection = smtplib.SMTP(server.host, server.port, socket.gethostname(), timeout=_SECONDS)
    try:
        connection.ehlo()
        if connection.has_extn("starttls"):
            connection.starttls(context=ssl.create_default_context())
    except BaseException:
        connection.close()
        raise
    return connection
