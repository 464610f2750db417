"""Functions: their versions, settings, concurrency and states."""
