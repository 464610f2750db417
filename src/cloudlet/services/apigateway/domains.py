"""Custom domain names, and the API mappings that say which stage answers below which path of one.

They belong to all types of APIs alike. A name belongs to one account in the whole cloud.
"""

from __future__ import annotations

from typing import NamedTuple

from cloudlet.core import Context, Subspace, Transaction
from cloudlet.services.apigateway import certificate_use, errors
from cloudlet.services.apigateway.documents import Document, decode, encode
from cloudlet.store import pack

MOST_DOMAINS = 120
MOST_MAPPINGS = 200
_DOMAINS = Subspace("domain")
_HOSTS = Subspace("host")
_MAPPINGS = Subspace("mapping")


class Mapped(NamedTuple):
    """Where a request to a domain goes."""

    api_id: str
    stage: str
    key: str
    """The mapping's key; empty for that of all paths."""
    path: str
    """What follows the key."""
    domain: str


def of_account(account: str, region: str) -> Subspace:
    """The domains of an account in a region, by name."""
    return _DOMAINS.sub(account, region)


def mappings_of(name: str) -> Subspace:
    """The mappings of a domain, by id."""
    return _MAPPINGS.sub(name)


def topic(host: str) -> bytes:
    """What is notified when a domain, or what is mapped to it, changes."""
    return pack(("domain-changed", host))


async def get(ctx: Context, tx: Transaction, name: str) -> Document:
    """Return a domain of the caller's. Raises NotFoundException."""
    raw = await tx.get(of_account(ctx.account, ctx.region).key(name.lower()))
    if raw is None:
        raise errors.not_found("Invalid domain name identifier specified")
    return decode(raw)


async def is_taken(tx: Transaction, name: str) -> bool:
    """Whether a domain is there already, whoever has it."""
    return await tx.get(_HOSTS.key(name)) is not None


def save(ctx: Context, tx: Transaction, domain: Document) -> None:
    name = domain["DomainName"]
    tx.put(of_account(ctx.account, ctx.region).key(name), encode(domain))
    arn = domain["DomainNameConfigurations"][0]["CertificateArn"]
    tx.put(_HOSTS.key(name), encode({"Account": ctx.account, "CertificateArn": arn}))
    tx.notify(topic(name))
    certificate_use.enter(tx, ctx.account, ctx.region, name)


async def find_certificate(tx: Transaction, host: str) -> tuple[str, str] | None:
    """Return whose the domain of a host is, and the ARN of its certificate.

    Older Cloudlets have not written it down where it is found by the host.
    """
    for name in candidates(host):
        raw = await tx.get(_HOSTS.key(name))
        if raw:
            found = decode(raw)
            return found["Account"], found["CertificateArn"]
        if raw is not None:
            break
    return None


def remove(ctx: Context, tx: Transaction, name: str) -> None:
    """Delete a domain with its mappings."""
    tx.delete(of_account(ctx.account, ctx.region).key(name))
    tx.delete(_HOSTS.key(name))
    certificate_use.enter(tx, ctx.account, ctx.region, name)
    space = mappings_of(name)
    tx.delete_range(space.begin, space.end)
    tx.notify(topic(name))


async def mappings(tx: Transaction, name: str) -> list[Document]:
    space = mappings_of(name)
    return [decode(raw) for _, raw in await tx.range(space.begin, space.end, limit=MOST_MAPPINGS)]


async def get_mapping(tx: Transaction, name: str, id: str) -> Document:
    """Return a mapping of a domain. Raises NotFoundException."""
    raw = await tx.get(mappings_of(name).key(id))
    if raw is None:
        raise errors.no_such("API mapping", id)
    return decode(raw)


def save_mapping(tx: Transaction, name: str, mapping: Document) -> None:
    tx.put(mappings_of(name).key(mapping["ApiMappingId"]), encode(mapping))
    tx.notify(topic(name))


def remove_mapping(tx: Transaction, name: str, id: str) -> None:
    tx.delete(mappings_of(name).key(id))
    tx.notify(topic(name))


def is_name(resource: str) -> bool:
    """Whether what a request is for is a domain, and not the id of an API."""
    return "." in resource


def candidates(host: str) -> tuple[str, str]:
    """Return the names of domains that answer for a host: itself, and the wildcard of its zone."""
    return host, "*." + host.partition(".")[2]


def choose(found: list[Document], path: str, domain: str) -> Mapped | None:
    """Return where a path goes by the mappings of a domain: that with the longest key that it begins with."""
    best: Mapped | None = None
    for mapping in found:
        key = mapping.get("ApiMappingKey", "")
        head = f"/{key}" if key else ""
        if (path == head or path.startswith(f"{head}/")) and (best is None or len(key) > len(best.key)):
            best = Mapped(mapping["ApiId"], mapping["Stage"], key, path[len(head) :] or "/", domain)
    return best
