"""The operations behind the names that CloudTrail's records have."""

from __future__ import annotations

import importlib
from functools import cached_property
from typing import Any

from cloudlet.core import Service
from cloudlet.core.kernel.cloud import list_blocks
from cloudlet.core.kernel.models import list_models
from cloudlet.core.telemetry.audit.record import lower_name
from cloudlet.wire import Operation, load


class RecordedOperations:
    """The operations of the blocks' models, by the `eventSource` and `eventName` of records."""

    def __init__(self) -> None:
        self._by_source: dict[str, dict[str, list[tuple[str, Operation]]]] = {}

    def find(self, record: dict[str, Any]) -> tuple[str, Operation] | None:
        """Return the model and the operation of a recorded call, if a block has it."""
        source = record["eventSource"]
        if source not in self._by_source:
            self._by_source[source] = self._load(source)
        found = self._by_source[source].get(record["eventName"], [])
        given = (record.get("requestParameters") or {}).keys()
        # Two models of API Gateway have operations of the same names, and other members.
        return max(found, key=lambda each: len(given & _list_members(each[1])), default=None)

    def _load(self, source: str) -> dict[str, list[tuple[str, Operation]]]:
        found: dict[str, list[tuple[str, Operation]]] = {}
        for block in self._blocks.get(source, ()):
            service: Service = importlib.import_module(list_blocks()[block]).service
            for model in list_models(block):
                for name, operation in load(model).operations.items():
                    found.setdefault(service.recorded_as.get(name, name), []).append((model, operation))
        return found

    @cached_property
    def _blocks(self) -> dict[str, list[str]]:
        """The blocks of each source."""
        found: dict[str, list[str]] = {}
        for block in list_blocks():
            for model in list_models(block):
                source = f"{load(model).endpoint_prefix.rpartition('.')[2]}.amazonaws.com"
                if block not in found.setdefault(source, []):
                    found[source].append(block)
        return found


def _list_members(operation: Operation) -> set[str]:
    """Return the names of an operation's parameters, as records have them."""
    shape = operation.input_shape
    return set() if shape is None else {lower_name(name) for name in shape.members}
