"""Objects: their versions and bytes, and how they are written, read, listed and deleted."""
