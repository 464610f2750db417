"""Tests of Application Auto Scaling."""
