"""Event source mappings: their records and checks."""
