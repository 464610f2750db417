"""Tests of IAM."""
