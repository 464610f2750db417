"""Tests of containers' parts."""
