"""Finds metrics by a search expression. User guide, "CloudWatch search expression syntax"."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from cloudlet.core import Transaction
from cloudlet.core.aws.logic import All, AnyOf, Not
from cloudlet.core.background.workers import offload_if
from cloudlet.services.cloudwatch import directory
from cloudlet.services.cloudwatch.asker import Asker
from cloudlet.services.cloudwatch.metric import Metric
from cloudlet.services.cloudwatch.search_grammar import Condition, Search, Term, terms

MOST_FOUND = 500

_LOOKED_AT = 200
"""Metrics that one transaction looks at, and that are compared before others have their turn."""
_QUICK = 2000
"""So many texts are looked for in others within some milliseconds."""
_CHUNK = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W_A-Za-z0-9]+")


async def find(asker: Asker, search: Search) -> list[Metric]:
    """Return the metrics that a search finds, of those with values in the last two weeks; 500 at most, and one more."""
    oldest = asker.now - directory.LISTED_SECONDS
    found: list[Metric] = []
    after = b""
    while len(found) <= MOST_FOUND:

        async def body(tx: Transaction, after: bytes = after) -> list[tuple[bytes, Metric, int]]:
            return await directory.page(tx, asker.account, asker.region, search.namespace, None, after, _LOOKED_AT)

        rows = await asker.store.transact(body)
        found += await _matching(asker.account, [metric for _, metric, seen in rows if seen >= oldest], search)
        if len(rows) < _LOOKED_AT:
            break
        after = rows[-1][0]
    return found[: MOST_FOUND + 1]


async def _matching(account: str, metrics: list[Metric], search: Search) -> list[Metric]:
    """Return those of some metrics that a search finds; what takes long is done beside the event loop."""
    texts = sum([2 + 2 * len(metric.dimensions) for metric in metrics])
    return await offload_if(texts * terms(search.condition) > _QUICK, account, _found, metrics, search)


def _found(metrics: list[Metric], search: Search) -> list[Metric]:
    return [metric for metric in metrics if matches(metric, search)]


def matches(metric: Metric, search: Search) -> bool:
    """Whether a search finds a metric."""
    if search.namespace is not None and metric.namespace != search.namespace:
        return False
    if search.dimensions and search.dimensions != {name for name, _ in metric.dimensions}:
        return False
    return search.condition is None or _holds(metric, search.condition)


def _holds(metric: Metric, condition: Condition) -> bool:
    if isinstance(condition, All):
        return all(_holds(metric, part) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return any(_holds(metric, part) for part in condition.parts)
    if isinstance(condition, Not):
        return not _holds(metric, condition.part)
    return any(_is_in(condition, text) for text in _texts(metric, condition))


def _texts(metric: Metric, term: Term) -> Iterable[str]:
    """Return the names and values in which a term is looked for."""
    if term.property is None:
        return [metric.namespace, metric.name, *(text for dimension in metric.dimensions for text in dimension)]
    if term.property == "MetricName":
        return [metric.name]
    if term.property == "Namespace":
        return [metric.namespace]
    if term.property == ":aws.AccountId":
        return [metric.account, "LOCAL"] if term.exact else [metric.account]
    return [value for name, value in metric.dimensions if name == term.property]


def _is_in(term: Term, text: str) -> bool:
    if term.exact:
        return text == term.text
    wanted, parts = _parts(term.text), _parts(text)
    if not wanted:
        return False
    if _joined(wanted) == _joined(parts):
        return True
    return any(
        all(
            part == there if exactly else part.lower() == there.lower()
            for (part, exactly), (there, _) in zip(wanted, parts[at:], strict=False)
        )
        for at in range(len(parts) - len(wanted) + 1)
    )


@lru_cache(maxsize=20_000)
def _parts(text: str) -> tuple[tuple[str, bool], ...]:
    """Return the parts of a text.

    A part is told apart by its case where nothing but case and digits separate it from the next.
    """
    parts: list[tuple[str, bool]] = []
    for chunk in _CHUNK.findall(text):
        of_chunk = _PART.findall(chunk)
        parts += [(part, len(of_chunk) > 1) for part in of_chunk]
    return tuple(parts)


def _joined(parts: tuple[tuple[str, bool], ...]) -> str:
    return "".join(part.lower() for part, _ in parts)
