"""The capacity that tasks run on: launch types, and capacity providers by their strategies.

Developer guide, "Amazon ECS launch types and capacity providers". All of them are this machine.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from cloudlet.core import AwsError
from cloudlet.services.ecs import errors
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.definition_record import Definition

PROVIDERS: Final = ("FARGATE", "FARGATE_SPOT")
MANAGED: Final = "MANAGED_INSTANCES"
"""The launch type of tasks on instances of a capacity provider of one's own."""
PLATFORM_VERSION: Final = "1.4.0"
"""The platform version that `LATEST` stands for."""
_PLATFORM_VERSIONS: Final = ("LATEST", "1.4.0")
_WEIGHTS: Final = range(1001)
_BASES: Final = range(100_001)
_MAX_PROVIDERS: Final = 20
_ARCHITECTURES: Final = {"x86_64": "X86_64", "amd64": "X86_64", "aarch64": "ARM64", "arm64": "ARM64"}

Strategy = Sequence[Mapping[str, Any]]


class Capacity(NamedTuple):
    """The capacity that a task runs on."""

    launch_type: str
    provider: str = ""


class Choice(NamedTuple):
    """The choice for tasks: a launch type, or a strategy."""

    launch_type: str
    strategy: list[dict[str, Any]]

    @property
    def kind(self) -> str:
        """The launch type, also where a strategy stands for it."""
        if not self.strategy:
            return self.launch_type
        return "FARGATE" if self.strategy[0]["capacityProvider"] in PROVIDERS else MANAGED

    @property
    def is_fargate(self) -> bool:
        return self.kind == "FARGATE"


def decide(cluster: Cluster, launch_type: str | None, strategy: Strategy | None) -> Choice:
    """Return what a request chooses; without a choice it is the cluster's strategy, or EC2."""
    if launch_type and strategy:
        raise errors.InvalidParameter(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again."
        )
    if launch_type == MANAGED:
        raise errors.InvalidParameter(
            "The launch type MANAGED_INSTANCES cannot be specified. Use a capacity provider strategy."
        )
    if launch_type:
        return Choice(launch_type, [])
    chosen = strategy or cluster.default_strategy
    if not chosen:
        return Choice("EC2", [])
    return Choice("", check_strategy(chosen, cluster.capacity_providers))


def check_strategy(strategy: Strategy, associated: Sequence[str]) -> list[dict[str, Any]]:
    """Return a strategy with weights and bases. Raises InvalidParameterException for one that makes no sense."""
    if len(strategy) > _MAX_PROVIDERS:
        raise errors.InvalidParameter(f"A capacity provider strategy has at most {_MAX_PROVIDERS} capacity providers.")
    full = [{"weight": 0, "base": 0, **each} for each in strategy]
    for each in full:
        if each["capacityProvider"] not in associated:
            raise errors.InvalidParameter(
                f"The specified capacity provider '{each['capacityProvider']}' is not associated with the cluster. "
                "Specify a valid value and try again."
            )
        if each["weight"] not in _WEIGHTS or each["base"] not in _BASES:
            raise errors.InvalidParameter("The specified weight or base of a capacity provider is not valid.")
    if len({each["capacityProvider"] for each in full}) < len(full):
        raise errors.InvalidParameter("A capacity provider may be in a strategy only once.")
    if len({each["capacityProvider"] in PROVIDERS for each in full}) > 1:
        raise errors.InvalidParameter(
            "A capacity provider strategy cannot contain a mix of capacity providers of Fargate and others."
        )
    if sum(each["base"] > 0 for each in full) > 1:
        raise errors.InvalidParameter(
            "The capacity provider strategy contains more than one capacity provider with a base value."
        )
    if not any(each["weight"] for each in full):
        if len(full) == 1 and "weight" not in strategy[0]:
            return [{**full[0], "weight": 1}]
        raise errors.InvalidParameter("At least one capacity provider must have a weight greater than zero.")
    return full


def check(definition: Definition, choice: Choice, platform_version: str | None = None) -> None:
    """Raise AwsError unless tasks can run by what was chosen."""
    kind = choice.kind
    if kind not in definition.shape["compatibilities"]:
        raise errors.InvalidParameter(f"Task definition does not support launch_type {kind}.")
    wanted = definition.shape.get("requiresCompatibilities") or ()
    if wanted and kind not in wanted:
        raise errors.InvalidParameter(f"Task definition does not support launch_type {kind}.")
    if platform_version and not choice.is_fargate:
        raise errors.InvalidParameter("The platform version must be null when specifying an EC2 launch type.")
    if (platform_version or "LATEST") not in _PLATFORM_VERSIONS:
        raise AwsError("PlatformUnknownException", "The specified platform does not exist.")
    architecture = (definition.shape.get("runtimePlatform") or {}).get("cpuArchitecture")
    here = _ARCHITECTURES.get(platform.machine().lower())
    if architecture and architecture != here:
        raise errors.ClientError(f"Tasks of {architecture} cannot run on this machine, which is of {here}.")


def pick(choice: Choice, running: Counter[str]) -> Capacity:
    """Return the capacity of one more task, where so many run on each provider.

    The base is filled first; then tasks are spread by weights.
    """
    if not choice.strategy:
        return Capacity(choice.launch_type)
    for each in choice.strategy:
        if running[each["capacityProvider"]] < each["base"]:
            return Capacity(choice.kind, each["capacityProvider"])
    weighted = [each for each in choice.strategy if each["weight"]]
    least = min(weighted, key=lambda each: (running[each["capacityProvider"]] - each["base"]) / each["weight"])
    return Capacity(choice.kind, least["capacityProvider"])


def pick_all(choice: Choice, count: int) -> list[Capacity]:
    """Return the capacity of so many new tasks."""
    running: Counter[str] = Counter()
    picked = []
    for _ in range(count):
        picked.append(pick(choice, running))
        running[picked[-1].provider] += 1
    return picked
