"""How long texts are in UTF-8, by which AWS's services measure them."""

from __future__ import annotations


def size(text: str) -> int:
    """Return how many bytes a text has in UTF-8; half a surrogate pair, which UTF-8 has not, counts three."""
    return len(text) if text.isascii() else len(text.encode(errors="surrogatepass"))
