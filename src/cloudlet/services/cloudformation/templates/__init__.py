"""Templates: their text, sections, parameters and functions. Nothing here knows of stacks."""
