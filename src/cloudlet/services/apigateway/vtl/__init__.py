"""The Velocity Template Language, as API Gateway's mapping templates have it.

Apache Velocity's user guide and VTL reference (1.7); API Gateway's developer guide, "Mapping template transformations".

    template = compiled(text)
    result = template.render({"input": ..., "util": UTIL, "context": {...}, "stageVariables": {...}})

A template is bounded in what it takes: its loops have a thousand turns at most, and it ends with `VtlError` where it
goes on for too long, or says too much.
"""

from cloudlet.services.apigateway.vtl.error import VtlError
from cloudlet.services.apigateway.vtl.input import Input
from cloudlet.services.apigateway.vtl.rendering import Template, compiled
from cloudlet.services.apigateway.vtl.util import UTIL

__all__ = ["UTIL", "Input", "Template", "VtlError", "compiled"]
