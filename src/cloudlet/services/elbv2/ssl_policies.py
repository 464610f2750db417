"""The security policies of listeners, with their protocols and ciphers (user guides, "Security policies").

Policies for RFC 9151 are none here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

DEFAULT: Final = "ELBSecurityPolicy-2016-08"

_TLS13: Final = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_TLS13_FIPS: Final = _TLS13[:2]
_ORDER: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-RSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA384", "ECDHE-RSA-AES256-SHA", "ECDHE-ECDSA-AES256-SHA",
    "AES128-GCM-SHA256", "AES128-SHA256", "AES128-SHA", "AES256-GCM-SHA384", "AES256-SHA256", "AES256-SHA",
)  # fmt: skip
"""The ciphers of TLS 1.2 and before, in the order of preference."""
_ALL: Final = frozenset(_ORDER)
_OLD_HASH: Final = frozenset(each for each in _ORDER if each.endswith("-SHA"))
_FORWARD: Final = frozenset(each for each in _ORDER if each.startswith("ECDHE-"))
_RESTRICTED: Final = frozenset(each for each in _FORWARD if "-GCM-" in each)
_STANDARD: Final = _FORWARD - _OLD_HASH
_PROTOCOLS: Final = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")


class Policy(NamedTuple):
    name: str
    protocols: tuple[str, ...]
    ciphers: tuple[str, ...]
    types: tuple[str, ...] = ("application", "network")

    @property
    def is_fips(self) -> bool:
        return "-FIPS-" in self.name


def _make(name: str, protocols: Sequence[str], ciphers: frozenset[str], *first: str, **more: Any) -> Policy:
    ordered = (*first, *(each for each in _ORDER if each in ciphers))
    return Policy(f"ELBSecurityPolicy-{name}", tuple(protocols), ordered, **more)


def _list_modern(suffix: str, first: tuple[str, ...], *, is_fips: bool, is_new: bool) -> list[Policy]:
    """Return the policies with TLS 1.3 of one generation."""
    with_12 = _PROTOCOLS[2:]
    found = [
        _make(f"TLS13-1-3-{suffix}", _PROTOCOLS[3:], frozenset(), *first),
        _make(f"TLS13-1-2-{suffix}", with_12, _STANDARD, *first),
        _make(f"TLS13-1-2-Res-{suffix}", with_12, _RESTRICTED, *first),
        _make(f"TLS13-1-2-Ext2-{suffix}", with_12, _ALL, *first),
        _make(f"TLS13-1-2-Ext1-{suffix}", with_12, _ALL - _OLD_HASH, *first),
        _make(f"TLS13-1-0-{suffix}", _PROTOCOLS, _ALL, *first),
    ]
    if is_fips:
        found.append(_make(f"TLS13-1-2-Ext0-{suffix}", with_12, _FORWARD, *first))
    if not is_new:
        found.append(_make(f"TLS13-1-1-{suffix}", _PROTOCOLS[1:], _ALL, *first))
    return found


_OLD: Final = _PROTOCOLS[:3]
POLICIES: Final = {
    policy.name: policy
    for policy in (
        _make("2016-08", _OLD, _ALL),
        _make("2015-05", _OLD, _ALL, types=("network",)),
        _make("TLS-1-2-2017-01", _OLD[2:], _ALL - _OLD_HASH),
        _make("TLS-1-1-2017-01", _OLD[1:], _ALL),
        _make("TLS-1-2-Ext-2018-06", _OLD[2:], _ALL),
        _make("FS-2018-06", _OLD, _FORWARD),
        _make("FS-1-1-2019-08", _OLD[1:], _FORWARD),
        _make("FS-1-2-2019-08", _OLD[2:], _FORWARD),
        _make("FS-1-2-Res-2019-08", _OLD[2:], _STANDARD),
        _make("FS-1-2-Res-2020-10", _OLD[2:], _RESTRICTED),
        *_list_modern("2021-06", _TLS13, is_fips=False, is_new=False),
        *_list_modern("FIPS-2023-04", _TLS13_FIPS, is_fips=True, is_new=False),
        *_list_modern("PQ-2025-09", _TLS13, is_fips=False, is_new=True),
        *_list_modern("FIPS-PQ-2025-09", _TLS13_FIPS, is_fips=True, is_new=True),
    )
}


def to_api(policy: Policy) -> dict[str, Any]:
    """Return a policy as the API has it."""
    return {
        "Name": policy.name,
        "SslProtocols": list(policy.protocols),
        "Ciphers": [{"Name": name, "Priority": number} for number, name in enumerate(policy.ciphers, 1)],
        "SupportedLoadBalancerTypes": list(policy.types),
    }
