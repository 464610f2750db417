"""REST APIs, API Gateway's first version: what they are made of, and how requests to them are answered."""
