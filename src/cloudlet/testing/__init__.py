"""For those who test with Cloudlet: the pytest plugin and what it is made of."""
