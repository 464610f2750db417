"""Retention: lifecycle rules, archived objects, object lock."""
