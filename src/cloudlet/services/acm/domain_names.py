"""The domain names of certificates (user guide, "Domain names").

A name may begin with `*.`, which stands for one label. The model holds what else a name may be.
"""

from __future__ import annotations

from collections.abc import Iterable

from cloudlet.core import AwsError
from cloudlet.services.acm import errors

MAX_NAMES = 10
"""Of a certificate that is requested (user guide, "Quotas")."""
MAX_COMMON_NAME_CHARACTERS = 64
_AMAZON = ("amazonaws.com", "cloudfront.net", "elasticbeanstalk.com")


def gather(domain: str, alternatives: Iterable[str]) -> tuple[str, ...]:
    """Return the names of a certificate, each once, the first one first. Raises AwsError."""
    names = tuple(dict.fromkeys(name.lower() for name in (domain, *alternatives)))
    if len(names[0]) > MAX_COMMON_NAME_CHARACTERS:
        raise AwsError(
            "InvalidParameterException",
            f"The first domain name can be no longer than {MAX_COMMON_NAME_CHARACTERS} characters.",
        )
    if len(names) > MAX_NAMES:
        raise errors.LimitExceededError("Certificate has too many domains.")
    return names


def get_base(name: str) -> str:
    """Return the domain that is to be validated for a name."""
    return name.removeprefix("*.")


def is_within(name: str, domain: str) -> bool:
    """Whether a name is a domain, or below it."""
    return get_base(name) == domain or name.endswith(f".{domain}")


def is_amazons(name: str) -> bool:
    """Whether a name is one of those of Amazon's, for which nobody gets certificates."""
    return any(is_within(name, domain) for domain in _AMAZON)
