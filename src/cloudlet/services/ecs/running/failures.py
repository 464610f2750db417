"""Failures of tasks, in AWS's words. Developer guide, "Stopped tasks error codes"."""

from __future__ import annotations

from typing import Final

FAILED_TO_START: Final = "TaskFailedToStart"
ESSENTIAL_EXITED: Final = "EssentialContainerExited"
INFRASTRUCTURE: Final = "TerminationNotice"
ESSENTIAL_REASON: Final = "Essential container in task exited"
GONE_REASON: Final = "Cloudlet was started again: what its tasks ran has ended."
OUT_OF_MEMORY: Final = "OutOfMemoryError: Container killed due to memory usage"


class TaskFailure(Exception):
    """A task cannot be started; the text says why."""

    def __init__(self, reason: str, container: str = "", container_reason: str = "") -> None:
        """`container` is the name of the one that it is about."""
        super().__init__(reason)
        self.reason = reason
        self.container = container
        self.container_reason = container_reason or (reason if container else "")


class PullFailure(TaskFailure):
    """An image that cannot be pulled."""

    def __init__(self, container: str, text: str) -> None:
        super().__init__(f"CannotPullContainerError: {text}", container)


class CreateFailure(TaskFailure):
    """A container that cannot be made as it is described."""

    def __init__(self, container: str, text: str) -> None:
        super().__init__(f"CannotCreateContainerError: {text}", container)


class StartFailure(TaskFailure):
    """A container whose program cannot be started."""

    def __init__(self, container: str, text: str) -> None:
        super().__init__(f"CannotStartContainerError: {text}", container)


class InitializationFailure(TaskFailure):
    """A need of a task, before its containers, that cannot be met."""

    def __init__(self, text: str) -> None:
        super().__init__(f"ResourceInitializationError: {text}")
