"""The stack of the whole shop."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from constructs import Construct
from shop import names

from infrastructure.dashboard import Dashboard
from infrastructure.doors import Doors
from infrastructure.functions import Functions
from infrastructure.gallery import Gallery
from infrastructure.messages import Messages
from infrastructure.parameters import Parameters
from infrastructure.services import Services
from infrastructure.tables import Tables


class ShopStack(cdk.Stack):
    def __init__(self, scope: Construct, id: str, **more: Any) -> None:
        super().__init__(scope, id, description="A shop of small services and functions", **more)
        parameters = Parameters(self)
        log = cdk.aws_logs.LogGroup(
            self,
            "Log",
            log_group_name=names.LOG,
            retention=cdk.aws_logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        tables = Tables(self, "Tables")
        messages = Messages(self, "Messages")
        functions = Functions(self, "Functions", parameters, log, tables.orders)
        Gallery(self, "Gallery", functions["thumbnails"])
        Doors(self, "Doors", parameters, functions)
        Services(self, "Services", parameters, log, needed=[tables, messages])
        Dashboard(self, "Dashboard")
