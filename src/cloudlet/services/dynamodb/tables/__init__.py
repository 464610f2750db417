"""Tables: their records, schemas, indexes and settings."""
