"""Refactors: resources that move between stacks, and stay as they are."""
