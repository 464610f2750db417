"""What a ReceiveMessage request asks for."""

from __future__ import annotations

from typing import Any, Final

from cloudlet.services.sqs import errors, limits, receipts, rendering
from cloudlet.services.sqs.messages import Message, State
from cloudlet.services.sqs.queue import Queue

_NONE: Final[frozenset[str]] = frozenset()


class ReceiveRequest:
    """`visibility` is in milliseconds, `wait` in seconds."""

    __slots__ = ("attempt", "count", "names", "system", "visibility", "wait")

    def __init__(
        self,
        count: int,
        visibility: int,
        wait: int,
        attempt: str | None,
        system: frozenset[str],
        names: frozenset[str],
    ) -> None:
        self.count = count
        self.visibility = visibility
        self.wait = wait
        self.attempt = attempt
        self.system = system
        """Names of system attributes to return with messages."""
        self.names = names
        """Names, or patterns of them, of message attributes to return."""

    @classmethod
    def of(cls, queue: Queue, params: dict[str, Any]) -> ReceiveRequest:
        """Return what the parameters of a request ask for. Raises AwsError."""
        get = params.get
        count, visibility, wait = get("MaxNumberOfMessages"), get("VisibilityTimeout"), get("WaitTimeSeconds")
        if count is not None and not 1 <= count <= limits.RECEIVED_MESSAGES:
            raise errors.invalid_value("MaxNumberOfMessages", count, "Must be between 1 and 10, if provided.")
        if visibility is not None and not 0 <= visibility <= limits.VISIBILITY_SECONDS:
            raise errors.invalid_value("VisibilityTimeout", visibility, "Must be >= 0 and <= 43200, if provided.")
        if wait is not None and not 0 <= wait <= limits.WAIT_SECONDS:
            raise errors.invalid_value("WaitTimeSeconds", wait, "Must be >= 0 and <= 20, if provided.")
        attempt = get("ReceiveRequestAttemptId")
        if attempt is not None:
            if not queue.fifo:
                raise errors.wrong_queue_type("ReceiveRequestAttemptId", attempt)
            limits.check_token("ReceiveRequestAttemptId", attempt)
        system = get("MessageSystemAttributeNames"), get("AttributeNames")
        names = get("MessageAttributeNames")
        return cls(
            1 if count is None else count,
            queue.visibility if visibility is None else visibility * 1000,
            queue.wait if wait is None else wait,
            attempt,
            frozenset((system[0] or []) + (system[1] or [])) if system[0] or system[1] else _NONE,
            frozenset(names) if names else _NONE,
        )

    def rendered(self, queue: Queue, place: bytes, message: Message, state: State) -> dict[str, Any]:
        """Return a received message as it is answered, with the attributes that were asked for."""
        handle = receipts.issue(queue.record.id, place, state.nonce, state.received)
        return rendering.rendered(queue, place, message, state, handle, self.system, self.names)
