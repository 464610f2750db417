"""What every service is written with."""

from cloudlet.core.arn import Arn
from cloudlet.core.context import Context
from cloudlet.core.errors import AwsError
from cloudlet.core.service import Concluding, Params, Result, Service
from cloudlet.core.waiting import Wait
from cloudlet.store import Subspace, Transaction

__all__ = ["Arn", "AwsError", "Concluding", "Context", "Params", "Result", "Service", "Subspace", "Transaction", "Wait"]
