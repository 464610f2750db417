"""XML of strangers: no entities, no document types, nothing fetched, no comments that split texts."""

from __future__ import annotations

from typing import Any


class XmlError(ValueError):
    """A document that is not well-formed, or not one that is accepted here."""


def parse_xml(document: bytes) -> Any:
    """Return the root element of a document. Raises XmlError."""
    # Slow to import, and not needed by who has no assertions.
    from lxml import etree

    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        root = etree.fromstring(document, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise XmlError(f"it is not well-formed: {error}") from error
    if root.getroottree().docinfo.doctype:
        raise XmlError("document types are not accepted")
    return root
