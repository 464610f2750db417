"""Forms that browsers post, with their signed policies."""
