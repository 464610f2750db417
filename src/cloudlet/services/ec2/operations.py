"""Declarations of operations, with all that they have in common.

A dry run ends before anything is done, what Cloudlet does not support is refused, and an account has its default VPC
from the first call on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from typing import Any, Final

from cloudlet.core import AwsError, Context, Params, Result, Transaction
from cloudlet.core.aws import page_tokens
from cloudlet.core.kernel.service import Transactional
from cloudlet.services.ec2 import defaults
from cloudlet.services.ec2.block import service
from cloudlet.services.ec2.errors import InvalidCombination, InvalidValue, UnsupportedFeature
from cloudlet.services.ec2.filters import Shown, parse_filters
from cloudlet.services.ec2.resource import Kind, R, list_dependents

_MAX_PAGE_ITEMS: Final = 1000
_READ_ROWS: Final = 200
_DIGEST_CHARACTERS: Final = 16
IPAM: Final = ("Ipv4IpamPoolId", "Ipv4NetmaskLength", "Ipv6IpamPoolId", "Ipv6NetmaskLength")
"""Members about IP Address Manager."""


class DryRun(AwsError):
    """A call that would have succeeded."""

    def __init__(self) -> None:
        super().__init__("DryRunOperation", "Request would have succeeded, but DryRun flag is set.", status=412)


def declare(name: str, refuses: Iterable[str] = ()) -> Callable[[Transactional], Transactional]:
    """Declare an operation. Members that it `refuses` are not supported, but for false and empty ones."""

    def wrap(function: Transactional) -> Transactional:
        @service.operation(name)
        async def run(ctx: Context, tx: Transaction, params: Params) -> Result:
            if params.get("DryRun"):
                raise DryRun
            for member in refuses:
                if not _is_nothing(params.get(member)):
                    raise UnsupportedFeature(f"{member} of {name}")
            await defaults.ensure(ctx, tx)
            return await function(ctx, tx, params)

        return function

    return wrap


def _is_nothing(value: Any) -> bool:
    """Whether a member with a value asks for nothing."""
    return all(map(_is_nothing, value.values())) if isinstance(value, dict) else not value


async def find_repeated(
    ctx: Context, tx: Transaction, kind: Kind[R], operation_name: str, params: Params
) -> tuple[R | None, str]:
    """Return what a call with the same client token has made.

    A new record is marked by the text.
    """
    token = params.get("ClientToken")
    if not token:
        return None, ""
    mark = f"token/{operation_name}/{token}"
    text = json.dumps({name: value for name, value in params.items() if name != "DryRun"}, sort_keys=True)
    marked = f"{mark}#{hashlib.sha256(text.encode()).hexdigest()[:_DIGEST_CHARACTERS]}"
    names = await list_dependents(ctx, tx, mark, limit=1)
    found = await kind.find(ctx, tx, names[0]) if names else None
    if found is not None and found.token != marked:
        text = f"The client token '{token}' has been used with other parameters."
        raise AwsError("IdempotentParameterMismatch", text)
    return found, marked


def describe(kind: Kind[R], name: str, *, filter_member: str = "Filters", refuses: Iterable[str] = ()) -> None:
    """Declare the operation that lists resources of a kind, by ids, filters and in pages."""

    async def run(ctx: Context, tx: Transaction, params: Params) -> Result:
        matches = parse_filters(params.get(filter_member), kind.filters, tags=kind.tag_member)
        ids = params.get(kind.ids)
        limit = params.get("MaxResults")
        token = params.get("NextToken")
        if ids and limit:
            first = kind.ids[0].lower() + kind.ids[1:]
            raise InvalidCombination(f"The parameter {first} cannot be used with the parameter maxResults")
        if ids:
            records = [await kind.get(ctx, tx, each) for each in dict.fromkeys(ids)]
            found = [shown for each in records if matches(shown := await kind.show(ctx, tx, each))]
            return {kind.answer: found}
        page, following = await _read_page(ctx, tx, kind, matches, limit or _MAX_PAGE_ITEMS, token)
        return {kind.answer: page, "NextToken": following}

    declare(name, refuses)(run)


async def _read_page(
    ctx: Context, tx: Transaction, kind: Kind[R], matches: Callable[[Shown], bool], limit: int, token: str | None
) -> tuple[list[dict[str, Any]], str | None]:
    space = kind.get_space(ctx)
    after = page_tokens.parse_page_token(token, InvalidValue("nextToken", token, "The token is not valid."))
    begin = space.prefix + after + b"\x00" if after else space.begin
    found: list[dict[str, Any]] = []
    last = b""
    while True:
        rows = await tx.range(begin, space.end, limit=_READ_ROWS)
        for key, raw in rows:
            record = kind.decode(raw)
            if kind.is_visible(ctx, record) and matches(shown := await kind.show(ctx, tx, record)):
                if len(found) == limit:
                    return found, page_tokens.make_page_token(last.removeprefix(space.prefix))
                found.append(shown)
                last = key
        if len(rows) < _READ_ROWS:
            return found, None
        begin = rows[-1][0] + b"\x00"


def read_page(items: list[Any], params: Params, default: int = _MAX_PAGE_ITEMS) -> tuple[list[Any], str | None]:
    """Return a page of a list, and the next page's token."""
    token = params.get("NextToken")
    wrong = InvalidValue("nextToken", token, "The token is not valid.")
    text = page_tokens.parse_name_token(token, wrong)
    if text and not text.isdecimal():
        raise wrong
    start = int(text or 0)
    end = start + (params.get("MaxResults") or default)
    return items[start:end], page_tokens.make_page_token(str(end).encode()) if end < len(items) else None
