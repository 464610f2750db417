"""The rules for services: what requests may ask for, and AWS's defaults.

API reference, CreateService and UpdateService.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cloudlet.core import Params
from cloudlet.services.ecs import capacity, errors, lifecycle_hooks, network_rules, placement, traffic
from cloudlet.services.ecs.capacity import Choice
from cloudlet.services.ecs.cluster_record import Cluster
from cloudlet.services.ecs.definition_record import Definition

NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_MAX_TASKS: Final = 5000
_MAX_BAKE_MINUTES: Final = 1440
_MIN_STEP_PERCENT: Final = 3.0
_MIN_CANARY_PERCENT: Final = 0.1
_UNSUPPORTED: Final = {
    "volumeConfigurations": "volumes of Amazon EBS (volumeConfigurations)",
    "vpcLatticeConfigurations": "VPC Lattice (vpcLatticeConfigurations)",
    "monitoring": "another resolution of a service's metrics (monitoring)",
}
_OPTIONS: Final = (
    "placementConstraints",
    "placementStrategy",
    "healthCheckGracePeriodSeconds",
    "enableECSManagedTags",
    "propagateTags",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
    "role",
)
_OF_STRATEGIES: Final = ("linearConfiguration", "canaryConfiguration", "lifecycleHooks", "bakeTimeInMinutes")
REVISED: Final = (
    "platformVersion",
    "networkConfiguration",
    "serviceRegistries",
    "loadBalancers",
    "serviceConnectConfiguration",
    "gatewayConnectors",
)
"""The members of a request that a revision keeps as they are."""


def refuse_unsupported(params: Params) -> None:
    """Raise ClientException for what Cloudlet does not have."""
    for member, what in _UNSUPPORTED.items():
        if params.get(member):
            raise errors.NotBuilt(what)
    if (params.get("deploymentController") or {}).get("type") == "CODE_DEPLOY":
        raise errors.NotBuilt("the deployment controller CODE_DEPLOY, which needs AWS CodeDeploy")


def read_options(params: Params, known: Mapping[str, Any], scheduling: str, controller: str) -> dict[str, Any]:
    """Return the options of a service, as a request changes them. Raises InvalidParameterException."""
    options = {**known, **{name: params[name] for name in _OPTIONS if params.get(name) is not None}}
    before, given = known.get("deploymentConfiguration") or {}, params.get("deploymentConfiguration") or {}
    if given.get("strategy", before.get("strategy")) != before.get("strategy"):
        # What is for another strategy goes with that.
        before = {name: value for name, value in before.items() if name not in _OF_STRATEGIES}
    configuration = {**_get_default_configuration(scheduling, controller), **before, **given}
    _complete_steps(configuration)
    _check_configuration(configuration, scheduling, controller)
    grace = options.get("healthCheckGracePeriodSeconds")
    if grace is not None and grace < 0:
        raise errors.InvalidParameter("healthCheckGracePeriodSeconds must not be negative.")
    return {**options, "deploymentConfiguration": configuration}


def _get_default_configuration(scheduling: str, controller: str) -> dict[str, Any]:
    if scheduling == "DAEMON":
        percents = {"maximumPercent": 100, "minimumHealthyPercent": 0}
    else:
        percents = {"maximumPercent": 200, "minimumHealthyPercent": 100}
    if controller != "ECS":
        return percents
    breaker = {"enable": False, "rollback": False}
    return {**percents, "deploymentCircuitBreaker": breaker, "strategy": "ROLLING"}


def _complete_steps(configuration: dict[str, Any]) -> None:
    """Fill in the steps in which a strategy shifts traffic; those of another strategy go."""
    strategy = configuration.get("strategy")
    for name, (member, defaults) in traffic.DEFAULTS.items():
        given = configuration.get(member)
        if name == strategy:
            configuration[member] = {**defaults, **(given or {})}


def _check_configuration(configuration: Mapping[str, Any], scheduling: str, controller: str) -> None:
    lowest, highest = configuration["minimumHealthyPercent"], configuration["maximumPercent"]
    if lowest < 0 or highest < 100 or lowest > highest:
        raise errors.InvalidParameter("The specified minimumHealthyPercent and maximumPercent are not valid.")
    strategy = configuration.get("strategy") or "ROLLING"
    if controller != "ECS" and (strategy != "ROLLING" or configuration.get("deploymentCircuitBreaker")):
        raise errors.InvalidParameter("The deployment configuration is only valid for the ECS deployment controller.")
    if strategy != "ROLLING" and scheduling == "DAEMON":
        raise errors.InvalidParameter(f"The DAEMON scheduling strategy does not support {strategy} deployments.")
    for name, (member, _) in traffic.DEFAULTS.items():
        if configuration.get(member) and name != strategy:
            raise errors.InvalidParameter(f"{member} is not valid for the deployment strategy {strategy}.")
    _check_step(configuration.get("linearConfiguration") or {}, "stepPercent", _MIN_STEP_PERCENT)
    _check_step(configuration.get("canaryConfiguration") or {}, "canaryPercent", _MIN_CANARY_PERCENT)
    if (configuration.get("earlySuccessCriteria") or {}).get("enable"):
        raise errors.NotBuilt("early success criteria of deployments")
    if not 0 <= (configuration.get("bakeTimeInMinutes") or 0) <= _MAX_BAKE_MINUTES:
        raise errors.InvalidParameter(f"bakeTimeInMinutes must be between 0 and {_MAX_BAKE_MINUTES}.")
    alarms = configuration.get("alarms") or {}
    if alarms.get("enable") and not alarms["alarmNames"]:
        raise errors.InvalidParameter("Alarm names must be specified when alarms are enabled.")
    threshold = (configuration.get("deploymentCircuitBreaker") or {}).get("thresholdConfiguration")
    if threshold is not None and threshold["value"] < 1:
        raise errors.InvalidParameter("The circuit breaker's threshold must be at least 1.")
    _check_hooks(configuration.get("lifecycleHooks") or [], strategy)


def _check_step(configuration: Mapping[str, Any], member: str, lowest: float) -> None:
    """Raise InvalidParameterException for steps of traffic that make no sense."""
    percent = configuration.get(member, lowest)
    if not lowest <= percent <= traffic.ALL or round(percent, 1) != percent:
        raise errors.InvalidParameter(f"{member} must be a multiple of 0.1 from {lowest} to {traffic.ALL}.")
    for name, minutes in configuration.items():
        if name != member and not 0 <= minutes <= _MAX_BAKE_MINUTES:
            raise errors.InvalidParameter(f"{name} must be between 0 and {_MAX_BAKE_MINUTES}.")


def _check_hooks(hooks: list[dict[str, Any]], strategy: str) -> None:
    if hooks and strategy == "ROLLING":
        raise errors.InvalidParameter("Lifecycle hooks are not valid for the deployment strategy ROLLING.")
    for hook in hooks:
        is_function = (hook.get("targetType") or "AWS_LAMBDA") == "AWS_LAMBDA"
        if not hook.get("lifecycleStages"):
            raise errors.InvalidParameter("A lifecycle hook must have lifecycle stages.")
        if is_function and not (hook.get("hookTargetArn") and hook.get("roleArn")):
            raise errors.InvalidParameter("A lifecycle hook must have a hookTargetArn and a roleArn.")
        if hook.get("hookDetails") is not None and not lifecycle_hooks.can_store(hook["hookDetails"]):
            raise errors.InvalidParameter("The hookDetails of a lifecycle hook must be a JSON object.")
        if not is_function and {"TEST_TRAFFIC_SHIFT", "PRODUCTION_TRAFFIC_SHIFT"} & {*hook["lifecycleStages"]}:
            raise errors.InvalidParameter("PAUSE hooks cannot be configured at stages that shift traffic.")


def check_count(count: int) -> int:
    """Return a desired count. Raises InvalidParameterException for one that makes no sense."""
    if not 0 <= count <= _MAX_TASKS:
        raise errors.InvalidParameter(f"desiredCount must be between 0 and {_MAX_TASKS}.")
    return count


def check_placement(options: Mapping[str, Any], choice: Choice, scheduling: str) -> None:
    """Raise AwsError unless placement constraints and strategies go with what tasks run on."""
    constraints, strategies = options.get("placementConstraints") or (), options.get("placementStrategy") or ()
    if choice.is_fargate and constraints:
        raise errors.InvalidParameter("Placement constraints are not supported with FARGATE launch type.")
    if choice.is_fargate and strategies:
        raise errors.InvalidParameter("Placement strategies are not supported with FARGATE launch type.")
    if strategies and scheduling == "DAEMON":
        raise errors.InvalidParameter("Placement strategies are not supported with the DAEMON scheduling strategy.")
    placement.check([*constraints], [*strategies])
    if choice.is_fargate and scheduling == "DAEMON":
        raise errors.InvalidParameter("The daemon scheduling strategy is not supported for Fargate tasks.")


def make_members(
    params: Params, known: Mapping[str, Any], cluster: Cluster, definition: Definition, scheduling: str
) -> dict[str, Any]:
    """Return the members of a revision, as a request gives or changes them. Raises AwsError."""
    members = {**known, **{name: params[name] for name in REVISED if params.get(name) is not None}}
    has_choice = params.get("launchType") or params.get("capacityProviderStrategy") is not None
    if has_choice or not known:
        choice = capacity.decide(cluster, params.get("launchType"), params.get("capacityProviderStrategy"))
        if scheduling == "DAEMON" and not has_choice:
            choice = Choice("EC2", [])
        members |= {"launchType": choice.launch_type or None, "capacityProviderStrategy": choice.strategy or None}
    choice = Choice(members.get("launchType") or "", members.get("capacityProviderStrategy") or [])
    capacity.check(definition, choice, members.get("platformVersion"))
    network_rules.check_network(definition, members.get("networkConfiguration"), choice.launch_type)
    members["taskDefinition"] = definition.arn
    if choice.is_fargate:
        members |= {"platformVersion": members.get("platformVersion") or "LATEST", "platformFamily": "Linux"}
    _check_registries(members.get("serviceRegistries") or [], definition)
    return {name: value for name, value in members.items() if value not in (None, [])}


def _check_registries(registries: list[dict[str, Any]], definition: Definition) -> None:
    if len(registries) > 1:
        raise errors.InvalidParameter("A service has at most one service registry.")
    names = [container["name"] for container in definition.containers]
    for registry in registries:
        if ":servicediscovery:" not in (registry.get("registryArn") or ""):
            raise errors.InvalidParameter("The registryArn of a service registry must be of AWS Cloud Map.")
        name, port = registry.get("containerName"), registry.get("containerPort")
        if name and name not in names:
            raise errors.InvalidParameter(f"The container {name} does not exist in the task definition.")
        if port is not None and registry.get("port") is not None:
            raise errors.InvalidParameter("Specify either a port or a containerPort, but not both.")
        if definition.network_mode != "awsvpc" and not (name and port):
            raise errors.InvalidParameter(
                f"When networkMode is {definition.network_mode}, containerName and containerPort must be specified "
                "in a service registry."
            )
