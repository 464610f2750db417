"""The operations of Amazon ECS, and its jobs."""

from __future__ import annotations

from cloudlet.core.aws.service_events import tell
from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecs import (
    api_account_settings,
    api_capacity_providers,
    api_clusters,
    api_daemon_definitions,
    api_daemon_deployments,
    api_daemons,
    api_definitions,
    api_deployments,
    api_execution,
    api_express,
    api_gateways,
    api_instance_states,
    api_instances,
    api_protection,
    api_services,
    api_tags,
    api_task_sets,
    api_tasks,
    clusters,
    daemon_scheduler,
    instance_events,
    managed_instances,
    run_tokens,
    services,
    steady_services,
)
from cloudlet.services.ecs.block import service
from cloudlet.services.ecs.definition_removal import REMOVALS
from cloudlet.services.ecs.ingress_balancing import BALANCERS
from cloudlet.services.ecs.ingress_settling import INGRESS
from cloudlet.services.ecs.running import jobs, sessions
from cloudlet.services.ecs.service_scheduler import HOOKS, SCHEDULER

__all__ = [
    "api_account_settings",
    "api_capacity_providers",
    "api_clusters",
    "api_daemon_definitions",
    "api_daemon_deployments",
    "api_daemons",
    "api_definitions",
    "api_deployments",
    "api_execution",
    "api_express",
    "api_gateways",
    "api_instance_states",
    "api_instances",
    "api_protection",
    "api_services",
    "api_tags",
    "api_task_sets",
    "api_tasks",
    "daemon_scheduler",
    "jobs",
    "service",
]

service.job(SCHEDULER.run)
service.job(HOOKS.run)
service.job(REMOVALS.run)
service.job(managed_instances.INSTANCES.run)
service.job(instance_events.EVENTS.run)
service.job(INGRESS.run)
service.job(BALANCERS.run)
service.job(services.forget_deleted)
service.job(clusters.forget_deleted)
service.job(steady_services.tell_again)
service.job(run_tokens.forget_old)
service.job(sessions.forget_old)


@service.job
async def send_events(block: Block) -> None:
    """Tell EventBridge of tasks, container instances, services and deployments."""
    await run_leased_jobs(block, tell=tell)
