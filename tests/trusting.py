"""An account on a Cloudlet that listens with TLS."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cloudlet.testing.server import Aws


@dataclass(frozen=True)
class TrustingAws(Aws):
    """An account whose clients trust the authority of a data folder."""

    data: Path = Path()

    def client(self, service: str, **options: Any) -> Any:
        return super().client(service, verify=str(self.data / "tls" / "ca.pem"), **options)
