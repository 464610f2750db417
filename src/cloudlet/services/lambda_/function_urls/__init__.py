"""Function URLs: their records and the requests to them."""
