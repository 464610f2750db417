"""S3 Select: queries over one object, run by DuckDB in a process of its own."""
