"""What every service is written with."""

from cloudlet.core.aws.arn import Arn
from cloudlet.core.kernel.context import Context
from cloudlet.core.kernel.detour import Detour
from cloudlet.core.kernel.errors import AwsError
from cloudlet.core.kernel.service import FinalTransaction, Params, Result, Service
from cloudlet.core.kernel.wait_queues import Wait
from cloudlet.store import Subspace, Transaction

__all__ = [
    "Arn",
    "AwsError",
    "Context",
    "Detour",
    "FinalTransaction",
    "Params",
    "Result",
    "Service",
    "Subspace",
    "Transaction",
    "Wait",
]
