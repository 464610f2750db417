"""What comes from the process of a function has bounds."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

from cloudlet.services.lambda_.execution import frames
from cloudlet.services.lambda_.execution.frames import Channel


def test_a_process_that_announces_too_large_a_frame_is_hung_up_on() -> None:
    seen: list[tuple[bytes, dict[str, Any], bytes]] = []
    channel = Channel(lambda *frame: seen.append(frame), lambda: None)
    transport = Mock()
    channel.connection_made(transport)
    channel.data_received(frames.encoded(frames.ANSWER, None, b"x" * 10))
    assert seen == [(frames.ANSWER, {}, b"x" * 10)]
    channel.data_received(frames._HEAD.pack(frames.LARGEST_BYTES + 1, frames.ANSWER, 0))
    transport.abort.assert_called_once_with()
