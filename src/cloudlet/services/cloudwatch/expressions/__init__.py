"""Metric math. User guide, "Using math expressions with CloudWatch metrics".

`parser` reads an expression, `evaluation` computes it over time series. All arithmetic is of doubles; a data point
whose value would be no number is dropped.
"""
