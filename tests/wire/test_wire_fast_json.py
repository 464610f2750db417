"""The fast way through JSON decides nothing: what it accepts, the slow way accepts too, and as the same."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest
from tests.sizes import NIGHTLY
from wire_samples import Samples

from cloudlet.wire import HttpRequest, InvalidRequest, load
from cloudlet.wire.catalog import SERVICES
from cloudlet.wire.json import Codec

JSON_SERVICES = [service for service in SERVICES if "json" in load(service).protocols]


def damaged(value: Any, chance: random.Random) -> Any:
    """Return JSON's value with something changed here and there."""
    if chance.random() < 0.05:
        return chance.choice([None, 0, -1, 2**31, 5.5, "", "x" * 300, [], {}, True])
    if isinstance(value, dict):
        return {key: damaged(item, chance) for key, item in value.items() if chance.random() > 0.03}
    if isinstance(value, list):
        return [damaged(item, chance) for item in value]
    return value


@pytest.mark.parametrize("service", JSON_SERVICES)
def test_the_fast_way_decides_nothing(service: str) -> None:
    accepted = 0
    for name, operation in load(service).operations.items():
        codec = operation._codecs.get("json") or operation._compile("json")
        assert isinstance(codec, Codec)
        if codec._checked is None or operation.input_shape is None:
            continue
        for number in range(30 if NIGHTLY else 3):
            seed = f"{service}.{name}.{number}"
            params = Samples(seed).structure(operation.input_shape)
            body = msgspec.json.encode(damaged(msgspec.json.decode(msgspec.json.encode(params)), random.Random(seed)))
            try:
                fast = codec._checked(body)
            except (msgspec.MsgspecError, ValueError):
                continue
            accepted += 1
            assert codec._parse_slowly(body, True) == fast
    assert accepted


@pytest.mark.parametrize("service", JSON_SERVICES)
def test_the_fast_way_takes_what_is_sound(service: str) -> None:
    for name, operation in load(service).operations.items():
        codec = operation._codecs.get("json") or operation._compile("json")
        assert isinstance(codec, Codec)
        if operation.input_shape is None:
            continue
        assert codec._checked is not None, name
        params = Samples(f"{service}.{name}").structure(operation.input_shape)
        body = msgspec.json.encode(params)
        try:
            operation.parse("json", HttpRequest("POST", "/", "", {}, body))
        except InvalidRequest:
            continue
        codec._checked(body)
