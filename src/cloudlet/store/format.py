"""How data is stored, by a number that is written down beside it: in the data folder, or in the PostgreSQL."""

from __future__ import annotations

from cloudlet.store.interface import StoreError

FORMAT = 6
"""How this Cloudlet stores data. Raise this when an older one would misread what this one writes; this one is to read
all that came before."""


class UnsupportedFormat(StoreError):
    """A newer Cloudlet has written what is there, in a way that this one does not know."""


def refuse_newer(written: int, place: str, option: str) -> None:
    """Raise NewerData for a format that is not known here; `place` has that data, and `option` would name another."""
    if written > FORMAT:
        raise UnsupportedFormat(
            f"a newer Cloudlet has written what is in {place} (format {written}; this one knows those up to {FORMAT}): "
            f"start that one, or name another {option}"
        )
