"""Drift: resources that are not any more as their stack has them."""
