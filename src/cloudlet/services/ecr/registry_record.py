"""Registries as they are stored: the settings that an account has in a region."""

from __future__ import annotations

from typing import Any

import msgspec


class Registry(msgspec.Struct, frozen=True, omit_defaults=True):
    """The settings of a registry."""

    account: str
    region: str
    name: str = ""
    """Always empty: there is one registry for an account in a region."""
    policy: str = ""
    replication: tuple[dict[str, Any], ...] = ()
    """The rules of replication, as the API has them."""
    scan_type: str = "BASIC"
    scan_rules: tuple[dict[str, Any], ...] = ()
    settings: dict[str, str] = {}
    """The account settings that were changed."""
    exclusions: dict[str, float] = {}
    """The principals whose pulls are not recorded → since when."""
    display_name: str = ""
    """The name by which the gallery shows a public registry."""
    backfills: dict[str, str] = {}
    """The ids of replication backfills that have not ended → the regions of their destinations."""
