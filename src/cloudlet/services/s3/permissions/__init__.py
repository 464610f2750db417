"""Permissions: policies, access control lists, blocked public access, encryption."""
