"""The estimate of what a template costs: nothing, says a page of Cloudlet's own.

As with AWS's calculator, the query string of its URL has all that is on it.
"""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Final
from urllib.parse import parse_qsl, urlencode

from cloudlet.core import Context, Params, Result
from cloudlet.core.kernel.block import Block
from cloudlet.services.cloudformation import errors
from cloudlet.services.cloudformation.block import service
from cloudlet.services.cloudformation.compiling import is_known_type
from cloudlet.services.cloudformation.operations import preparing
from cloudlet.services.cloudformation.stack_record import Stack
from cloudlet.wire import HttpRequest, HttpResponse

_FOLDER: Final = "costs"
_CAPABILITIES: Final = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_PAGE: Final = """<!doctype html>
<meta charset="utf-8">
<title>Cost of a template</title>
<h1>Cost of a template</h1>
<p>On this Cloudlet, these resources cost nothing. What they cost on AWS, <a href="https://calculator.aws">its
calculator</a> tells.</p>
<table>
<tr><th>Type</th><th>Resources</th></tr>
{rows}
</table>
"""


@service.direct("EstimateTemplateCost")
async def estimate_template_cost(ctx: Context, params: Params) -> Result:
    stack = Stack(ctx.account, ctx.region, "", "stack", "", 0.0)
    # Nothing is made: no capability has to be given.
    given = {**preparing.prefer_body(params), "Capabilities": _CAPABILITIES}
    target, compiled = await preparing.prepare(ctx, stack, given, None)
    if target.failure:
        raise errors.make_validation_error(target.failure)
    counts = Counter(resource["Type"] for resource in compiled.resources.values())
    query = urlencode(sorted(counts.items()), safe=":")
    return {"Url": f"{ctx.endpoint}/_cloudlet/{service.name}/{_FOLDER}/?{query}"}


@service.folder(_FOLDER)
async def show(block: Block, request: HttpRequest, path: str) -> HttpResponse:
    """Answer with the page of an estimate."""
    counts = [(kind, count) for kind, count in parse_qsl(request.query) if is_known_type(kind) and count.isdecimal()]
    if path or not counts:
        return HttpResponse(404, [("content-type", "text/plain")], b"EstimateTemplateCost tells the URLs of pages.\n")
    rows = "\n".join(f"<tr><td>{escape(kind)}</td><td>{count}</td></tr>" for kind, count in counts)
    return HttpResponse(200, [("content-type", "text/html; charset=utf-8")], _PAGE.format(rows=rows).encode())
