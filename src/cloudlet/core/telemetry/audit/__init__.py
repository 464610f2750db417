"""What CloudTrail is told of the calls that a block answers.

A call that changes something is noted in the transaction that does it, so that neither is there without the other;
whatever else is noted follows within a moment, in batches. It waits in the block's own store until CloudTrail has taken
it: CloudTrail may be down, and no call waits for it.
"""

from cloudlet.core.telemetry.audit.trail import AuditExporter, find_trail, observe_calls

__all__ = ["AuditExporter", "find_trail", "observe_calls"]
