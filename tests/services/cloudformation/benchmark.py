"""The time that stacks take, on a server that keeps its data: `python -m tests.services.cloudformation.benchmark`."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from cloudlet.testing.server import Aws, Server
from tests.services.cloudformation.deploying import Stacks, queue

_ACCOUNT = "123456789012"
_APPLICATION = ("Role", "Policy", "Api", "Res", "Method", "Deploy", "Stage")


def _make_application() -> dict[str, Any]:
    """Return a REST API, three functions and two tables."""
    every = json.loads((Path(__file__).parent / "every_type.json").read_text())["Resources"]
    resources = {name: every[name] for name in _APPLICATION}
    resources |= {f"Function{number}": every["Fn"] for number in range(3)}
    return resources | {f"Table{number}": every["Table"] for number in range(2)}


def _measure(stacks: Stacks, name: str, resources: dict[str, Any]) -> None:
    started = time.perf_counter()
    stacks.create(name, {"Resources": resources}, Capabilities=["CAPABILITY_IAM"])
    made = time.perf_counter()
    stacks.delete(name)
    print(f"{name}: made in {made - started:.2f} s, deleted in {time.perf_counter() - made:.2f} s")  # noqa: T201


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, Server.start("--data", folder) as server:
        found = Stacks(Aws(server.endpoint, _ACCOUNT))
        found.create("warm", {"Resources": _make_application()}, Capabilities=["CAPABILITY_IAM"])
        _measure(found, "hundred", {f"Queue{number}": queue() for number in range(100)})
        _measure(found, "five-hundred", {f"Queue{number}": queue() for number in range(500)})
        _measure(found, "application", _make_application())
