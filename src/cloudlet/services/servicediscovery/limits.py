"""The quotas of Cloud Map (Developer Guide, "Cloud Map service quotas")."""

from __future__ import annotations

from typing import Final

MAX_NAMESPACES: Final = 50
"""Of an account in a region."""
MAX_INSTANCES: Final = 1_000
"""Of a service."""
MAX_ATTRIBUTES: Final = 30
"""Of an instance, and of a service."""
MAX_ATTRIBUTES_CHARACTERS: Final = 5_000
"""Keys and values of an instance together."""
PAGE: Final = 100
