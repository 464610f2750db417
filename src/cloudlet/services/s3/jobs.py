"""What S3 does by itself, in the background."""

from __future__ import annotations

from cloudlet.core import Context, Params, Result
from cloudlet.core.background import jobs
from cloudlet.core.kernel.block import Block
from cloudlet.services.s3.block import service
from cloudlet.services.s3.buckets import leftovers
from cloudlet.services.s3.notifications import notifying
from cloudlet.services.s3.object_data import workspace
from cloudlet.services.s3.querying import select_process
from cloudlet.services.s3.replicas import replicating
from cloudlet.services.s3.reports import access_log, inventory_report, request_metrics, storage_metrics
from cloudlet.services.s3.retention import expiring, restoring
from cloudlet.wire import WireError


@service.job
async def tell_and_replicate(block: Block) -> None:
    """Tell of events, make replicas and write inventories, until the block ends."""
    await jobs.run_leased_jobs(
        block,
        tell_of_events=notifying.notify,
        replicate=replicating.replicate,
        write_inventories=inventory_report.write_inventories,
    )


service.job(expiring.carry_out_rules)
service.job(restoring.follow_restores)
service.job(access_log.deliver_logs)
service.job(leftovers.remove)
service.job(workspace.clear)
service.job(select_process.end_with)
service.job(request_metrics.follow_configurations)
service.job(storage_metrics.measure_storage)
service.gauge(request_metrics.measure)


@service.observe
def note(ctx: Context, operation: str, params: Params, result: Result, error: WireError | None) -> None:
    """Note a request that was answered, for all who keep account."""
    access_log.note(ctx, operation, params, result, error)
    request_metrics.note(ctx, operation, params, result, error)
