"""Scans of the resources that an account has, and templates that are generated of them."""
