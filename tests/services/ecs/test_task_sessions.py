"""ExecuteCommand: a terminal in a container, as the plugin of Session Manager speaks with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

from cloudlet.services.ecs.running import session_messages as messages
from cloudlet.testing.server import Aws
from tests.services.ecs.containers import Tasks


class Plugin:
    """A client of a session."""

    def __init__(self, session: dict[str, str]) -> None:
        self._connection: ClientConnection = connect(session["streamUrl"], legacy=True)
        self._sequence = 0
        self.acknowledged: list[int] = []
        self._connection.send(json.dumps({"MessageSchemaVersion": "1.0", "TokenValue": session["tokenValue"]}))
        asked = self.receive()
        assert asked.payload_type == messages.HANDSHAKE_REQUEST
        actions = json.loads(asked.payload)["RequestedClientActions"]
        assert actions[0]["ActionParameters"]["SessionType"] == "Standard_Stream"
        done = {"ProcessedClientActions": [{"ActionType": "SessionType", "ActionStatus": 1}], "Errors": []}
        self.send(json.dumps(done).encode(), messages.HANDSHAKE_RESPONSE)
        assert self.receive().payload_type == messages.HANDSHAKE_COMPLETE

    def send(self, payload: bytes, kind: int = messages.TEXT) -> None:
        self._connection.send(messages.write(messages.INPUT, self._sequence, payload, 0.0, kind))
        self._sequence += 1

    def receive(self) -> messages.Message:
        """Return the next message that is no acknowledgement."""
        while True:
            content = self._connection.recv(30)
            assert isinstance(content, bytes)
            message = messages.parse(content)
            if message.kind == messages.OUTPUT:
                self._connection.send(messages.write_acknowledgement(message, 0.0))
            if message.kind != messages.ACKNOWLEDGE:
                return message
            self.acknowledged.append(json.loads(message.payload)["AcknowledgedMessageSequenceNumber"])

    def read_until(self, text: bytes) -> bytes:
        """Return what is printed until some text has come."""
        printed = b""
        while text not in printed:
            printed += self.receive().payload
        return printed


@pytest.fixture
def tasks(aws: Aws) -> Tasks:
    return Tasks(aws)


def run(tasks: Tasks, *containers: Any) -> str:
    arn = tasks.run(*(containers or ({},)), run={"enableExecuteCommand": True})
    tasks.wait(arn, "RUNNING")
    return arn


def test_a_shell_in_a_container(tasks: Tasks) -> None:
    arn = run(tasks, {"stopTimeout": 2, "environment": [{"name": "COLOUR", "value": "red"}]})
    answer = tasks.ecs.execute_command(task=arn, command="sh", interactive=True)
    assert (answer["taskArn"], answer["containerName"]) == (arn, "main")
    plugin = Plugin(answer["session"])
    plugin.send(json.dumps({"rows": 40, "cols": 100}).encode(), messages.SIZE)
    # A session has one terminal, however often it is asked for.
    plugin.send(b"{}", messages.HANDSHAKE_RESPONSE)
    plugin.send(b"echo $COLOUR-$((6*7))\n")
    assert b"Handshake" not in plugin.read_until(b"red-42")
    plugin.send(b"exit\n")
    while (last := plugin.receive()).kind != messages.CLOSED:
        pass
    assert json.loads(last.payload)["MessageType"] == "channel_closed"
    assert plugin.acknowledged == [0, 1, 2, 3, 4]
    tasks.ecs.stop_task(task=arn)
    tasks.wait(arn, "STOPPED")


def test_a_command_that_ends_by_itself(tasks: Tasks) -> None:
    arn = run(tasks, {"stopTimeout": 2}, {"name": "beside", "stopTimeout": 2})
    session = tasks.ecs.execute_command(
        task=arn, container="beside", command="cat '/srv/index.html'", interactive=True
    )["session"]
    plugin = Plugin(session)
    plugin.read_until(b"hello from a task")
    while plugin.receive().kind != messages.CLOSED:
        pass
    tasks.ecs.stop_task(task=arn)


def test_what_is_refused(tasks: Tasks) -> None:
    errors = tasks.ecs.exceptions
    arn = run(tasks, {"stopTimeout": 2}, {"name": "beside", "stopTimeout": 2})
    with pytest.raises(errors.InvalidParameterException, match="container name must be specified"):
        tasks.ecs.execute_command(task=arn, command="sh", interactive=True)
    with pytest.raises(errors.InvalidParameterException, match="only mode supported"):
        tasks.ecs.execute_command(task=arn, command="sh", interactive=False)
    tasks.ecs.stop_task(task=arn)
    tasks.wait(arn, "STOPPED")
    with pytest.raises(errors.TargetNotConnectedException):
        tasks.ecs.execute_command(task=arn, container="main", command="sh", interactive=True)
    other = tasks.run({"stopTimeout": 2})
    with pytest.raises(errors.InvalidParameterException, match="was not enabled"):
        tasks.ecs.execute_command(task=other, command="sh", interactive=True)
    tasks.ecs.stop_task(task=other)


def test_a_token_that_is_wrong(tasks: Tasks) -> None:
    arn = run(tasks, {"stopTimeout": 2})
    session = tasks.ecs.execute_command(task=arn, command="sh", interactive=True)["session"]
    connection = connect(session["streamUrl"], legacy=True)
    connection.send(json.dumps({"TokenValue": "wrong"}))
    with pytest.raises(Exception, match="1000"):
        connection.recv(30)
    tasks.ecs.stop_task(task=arn)
