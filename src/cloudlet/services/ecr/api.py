"""The operations of Amazon ECR, its jobs, and the registry."""

from __future__ import annotations

from cloudlet.core.aws.service_events import tell
from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.ecr import (
    api_backfills,
    api_caches,
    api_images,
    api_layers,
    api_lifecycle,
    api_policies,
    api_public,
    api_registry,
    api_repositories,
    api_scanning,
    api_storage_class,
    api_tags,
    api_templates,
    backfills,
    layers,
    lifecycle,
    restoring,
    uploads,
)
from cloudlet.services.ecr.block import service
from cloudlet.services.ecr.distribution import answering
from cloudlet.services.ecr.leftovers import LEFTOVERS
from cloudlet.services.ecr.replicating import DELETION, REPLICATION
from cloudlet.services.ecr.scanning import SCANS

__all__ = [
    "api_backfills",
    "api_caches",
    "api_images",
    "api_layers",
    "api_lifecycle",
    "api_policies",
    "api_public",
    "api_registry",
    "api_repositories",
    "api_scanning",
    "api_storage_class",
    "api_tags",
    "api_templates",
    "service",
]

service.data_plane(answering.answer)
service.job(lifecycle.run)
service.job(lifecycle.LIFECYCLE.run)
service.job(restoring.run)
service.job(layers.remove_idle)
service.job(uploads.remove_abandoned)
service.job(LEFTOVERS.run)
service.job(REPLICATION.run)
service.job(DELETION.run)
service.job(SCANS.run)
service.job(backfills.BACKFILL.run)
service.job(backfills.remove_old)
service.job(layers.GARBAGE.collect)
service.job(layers.GARBAGE.sweep)


@service.job
async def send_events(block: Block) -> None:
    """Tell EventBridge of images."""
    await run_leased_jobs(block, tell=tell)
