"""The operations of AWS Certificate Manager, its jobs, and its page."""

from __future__ import annotations

from cloudlet.core.aws.service_events import tell
from cloudlet.core.background.jobs import run_leased_jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.acm import (
    aging,
    api_account,
    api_certificates,
    api_internal,
    api_lists,
    api_material,
    api_tags,
    authority,
    measuring,
    validating,
)
from cloudlet.services.acm.block import service

__all__ = [
    "api_account",
    "api_certificates",
    "api_internal",
    "api_lists",
    "api_material",
    "api_tags",
    "service",
]


@service.page("root.pem")
async def show_root(block: Block) -> tuple[str, bytes]:
    """Return the certificate of the authority, for those who are to trust it."""
    return "application/x-pem-file", await authority.get_root(block)


@service.job
async def look_after(block: Block) -> None:
    """Validate, renew and expire certificates, and tell EventBridge of them."""
    await run_leased_jobs(block, validate=validating.validate, age=aging.run_timers, tell=tell)


service.gauge(measuring.measure)
