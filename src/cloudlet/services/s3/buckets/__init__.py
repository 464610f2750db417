"""Buckets: their records, names, settings and websites, and going through them."""
