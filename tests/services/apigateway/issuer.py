"""An issuer of JSON Web Tokens, as an identity provider is."""

from __future__ import annotations

import json
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.services.apigateway.endpoint import Endpoint


class Issuer:
    """Publishes its key at an endpoint, and signs."""

    def __init__(self, endpoint: Endpoint, name: str) -> None:
        self.url = f"{endpoint.url}/{name}"
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        endpoint.paths[f"/{name}/.well-known/openid-configuration"] = {"jwks_uri": f"{self.url}/keys"}
        endpoint.paths[f"/{name}/keys"] = {"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}

    def token(self, now: float, *, key: Any = None, kid: str = "one", algorithm: str = "RS256", **claims: Any) -> str:
        """Return a token for the audience `shop` that ends in an hour; a claim of None is left out."""
        said = {"iss": self.url, "aud": "shop", "sub": "me", "iat": now - 10, "exp": now + 3600, **claims}
        content = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(content, key or self.key, algorithm, headers={"kid": kid})
