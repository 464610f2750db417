"""Users and tokens before a running Cloudlet: a browser, a load balancer with HTTPS, and a provider with HTTPS."""

from __future__ import annotations

import gzip
import shlex
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from cloudlet.edge.tls import local_certificate, server_context
from tests.certificates import make_pair
from tests.services.ecs.containers import Tasks
from tests.services.ecs.test_instance_targets import find_instance
from tests.services.elbv2.envoys import Web
from tests.services.elbv2.lb_cloud import LbCloud
from tests.services.elbv2.provider import Provider
from tests.services.elbv2.test_proxy_targets import serve_http_2
from tests.services.elbv2.test_serving import Served, find_port, list_log_files, make_log_policy
from tests.standing import NOON, Standing, eventually, standing_server

_HOST = "app.example.com"
_BUCKET = "logs-of-logins"
_SESSION = "AWSELBAuthSessionCookie-0"


class Application:
    """A web server behind a load balancer with HTTPS that has users log in."""

    def __init__(self, standing: Standing, provider: Provider, web: Web) -> None:
        aws = standing.account()
        self.standing, self.provider, self.web = standing, provider, web
        self.cloud = LbCloud(aws)
        self.served = Served(self.cloud)
        # It is 2030 there.
        certificate = aws.client("acm").import_certificate(**make_pair(_HOST, days=3650).params())
        certificates = [{"CertificateArn": certificate["CertificateArn"]}]
        self.listener = self.cloud.listen(self.served.arn, None, 443, Protocol="HTTPS", Certificates=certificates)
        self.group = self.cloud.create_group(TargetType="instance", Port=web.port)
        self.instance = find_instance(Tasks(aws))
        target = {"Id": self.instance, "Port": web.port}
        self.cloud.elb.register_targets(TargetGroupArn=self.group, Targets=[target])
        forward = {"Type": "forward", "TargetGroupArn": self.group, "Order": 2}
        claim = {"Name": "aud", "Format": "single-string", "Values": ["client"]}
        config = {"JwksEndpoint": f"{provider.url}/keys", "Issuer": provider.url, "AdditionalClaims": [claim]}
        token = {"Type": "jwt-validation", "Order": 1, "JwtValidationConfig": config}
        checks = {
            "/app*": provider.make_action(),
            "/open*": provider.make_action(OnUnauthenticatedRequest="allow"),
            "/closed*": provider.make_action(OnUnauthenticatedRequest="deny"),
            "/token*": token,
        }
        for number, (path, check) in enumerate(checks.items()):
            self.cloud.add_rule(self.listener["ListenerArn"], number + 1, path, Actions=[check, forward])
        self.log()
        # The last rule is served.
        eventually(lambda: self.browse("/token")[0] == 401)

    def log(self) -> None:
        """Have the load balancer write an access log."""
        storage = self.cloud.aws.client("s3")
        storage.create_bucket(Bucket=_BUCKET)
        storage.put_bucket_policy(Bucket=_BUCKET, Policy=make_log_policy(_BUCKET))
        attributes = {"access_logs.s3.enabled": "true", "access_logs.s3.bucket": _BUCKET}
        pairs = [{"Key": key, "Value": value} for key, value in attributes.items()]
        self.cloud.elb.modify_load_balancer_attributes(LoadBalancerArn=self.served.arn, Attributes=pairs)

    def read_reasons(self) -> set[str]:
        """Return the reasons that the access log has."""
        storage = self.cloud.aws.client("s3")
        lines = [
            line
            for key in list_log_files(storage, _BUCKET)
            for line in gzip.decompress(storage.get_object(Bucket=_BUCKET, Key=key)["Body"].read())
            .decode()
            .splitlines()
        ]
        return {shlex.split(line)[24] for line in lines}

    def count(self, name: str) -> float:
        """Return the sum of a metric of the load balancer."""
        query = {
            "Namespace": "AWS/ApplicationELB",
            "MetricName": name,
            "Dimensions": [{"Name": "LoadBalancer", "Value": self.served.arn.partition("loadbalancer/")[2]}],
            "StartTime": "2030-03-13T11:00:00Z",
            "EndTime": "2030-03-13T16:00:00Z",
            "Period": 18000,
            "Statistics": ["Sum"],
        }
        found = self.cloud.aws.client("cloudwatch").get_metric_statistics(**query)["Datapoints"]
        return float(sum(each["Sum"] for each in found))

    def browse(self, path: str, *options: str, jar: Path | None = None) -> tuple[int, str]:
        """Return the status at the end of all redirects, and where that is."""
        place = f"{_HOST}::{self.served.address}:{find_port(443)}"
        command = ["curl", "-sSkL", "-m", "20", "--connect-to", place, "-o", "/dev/null", *options]
        command += ["-w", "%{http_code} %{url_effective}", f"https://{_HOST}{path}"]
        if jar is not None:
            command += ["-b", str(jar), "-c", str(jar)]
        status, url = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
        return int(status), url

    def find_user(self) -> str | None:
        """Return who the user of the last request was, as the application was told."""
        identity: str | None = self.web.asked[-1]["headers"].get("x-amzn-oidc-identity")
        return identity


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Application]:
    authority, certificate, key = local_certificate(tmp_path_factory.mktemp("provider"), "localhost")
    provider = Provider(datetime.fromisoformat(NOON).timestamp(), server_context(certificate, key))
    web = Web("application")
    with standing_server({"SSL_CERT_FILE": str(authority)}) as standing:
        yield Application(standing, provider, web)
    web.close()
    provider.close()


def test_a_user_logs_in_and_out(application: Application, tmp_path: Path) -> None:
    provider, jar, seen = application.provider, tmp_path / "jar", application.web.asked
    port = "" if find_port(443) == 443 else f":{find_port(443)}"
    assert application.browse("/app/a?b=c", jar=jar) == (200, f"https://{_HOST}{port}/app/a?b=c")
    assert provider.logins == 1
    headers = seen[-1]["headers"]
    assert seen[-1]["path"] == "/app/a?b=c"
    assert (headers["x-amzn-oidc-identity"], headers["x-amzn-oidc-accesstoken"]) == ("user-1", "token-1")
    page = f"{application.standing.server.endpoint}/_cloudlet/elbv2/user-claims-key"
    key = subprocess.run(["curl", "-sSf", page], capture_output=True, check=True).stdout
    claims = jwt.decode(headers["x-amzn-oidc-data"], key, ["ES256"], options={"verify_exp": False})
    assert claims["email"] == "user@example.com"
    # A session holds for all rules with one provider.
    for path in ("/app/d", "/open", "/closed"):
        assert application.browse(path, jar=jar)[0] == 200
        assert application.find_user() == "user-1"
    assert provider.logins == 1
    # An application logs its user out by the cookie.
    application.web.headers["set-cookie"] = f"{_SESSION}=; Max-Age=-1; Path=/"
    application.browse("/app/logout", jar=jar)
    del application.web.headers["set-cookie"]
    assert application.browse("/open", jar=jar)[0] == 200
    assert application.find_user() is None
    assert application.browse("/closed", jar=jar)[0] == 401
    assert application.browse("/app", jar=jar)[0] == 200
    assert provider.logins == 2


def test_a_session_is_refreshed_until_it_ends(application: Application, tmp_path: Path) -> None:
    provider, jar = application.provider, tmp_path / "jar"
    provider.time = datetime.fromisoformat(NOON).timestamp()
    application.standing.freeze(NOON)
    provider.more = {"expires_in": 600, "refresh_token": "code-refresh"}
    application.browse("/app", jar=jar)
    logins, asked = provider.logins, len(provider.forms)
    provider.claims["email"] = "new@example.com"
    application.standing.advance("11m")
    provider.time += 660
    assert application.browse("/app", jar=jar)[0] == 200
    assert application.browse("/app", jar=jar)[0] == 200
    data = application.web.asked[-1]["headers"]["x-amzn-oidc-data"]
    assert jwt.decode(data, options={"verify_signature": False})["email"] == "new@example.com"
    assert (provider.logins, len(provider.forms)) == (logins, asked + 1)
    provider.is_logged_out = True
    application.standing.advance("11m")
    provider.time += 660
    assert application.browse("/closed", jar=jar)[0] == 401
    assert application.browse("/app", jar=jar)[0] == 200
    assert provider.logins == logins + 1
    provider.is_logged_out, provider.more = False, {}
    application.browse("/app", jar=jar)
    application.standing.advance("61m")
    provider.time += 3660
    assert application.browse("/closed", jar=jar)[0] == 401


def test_forged_sessions_are_none(application: Application) -> None:
    assert application.browse("/closed", "-H", f"Cookie: {_SESSION}=AAAA")[0] == 401
    assert application.browse("/open", "-H", "X-Amzn-Oidc-Identity: root")[0] == 200
    assert application.find_user() is None
    assert application.browse("/oauth2/idpresponse?code=code-1&state=AAAA")[0] == 401


def test_bearer_tokens(application: Application) -> None:
    provider = application.provider

    def ask(token: str) -> int:
        return application.browse("/token", "-H", f"Authorization: {token}")[0]

    now = provider.time
    assert ask(f"Bearer {provider.sign()}") == 200
    assert application.web.asked[-1]["headers"]["authorization"].startswith("Bearer ")
    assert application.browse("/token")[0] == 401
    assert ask("Bearer a.b.c") == 401
    assert ask(f"Bearer {provider.sign(exp=now - 100)}") == 401
    assert ask(f"Bearer {provider.sign(iss='https://example.com')}") == 401
    assert ask(f"Bearer {provider.sign(aud='other')}") == 403
    assert ask(f"Bearer {provider.sign(rsa.generate_private_key(65537, 2048))}") == 401
    assert ask(f"Basic {provider.sign()}") == 401


def test_reasons_of_failures_are_logged_and_counted(application: Application) -> None:
    application.browse("/oauth2/idpresponse?code=code-1&state=AAAA")
    application.browse("/token", "-H", "Authorization: Bearer a.b.c")
    application.standing.advance("6m")
    wanted = {"-", "AuthInvalidStateParam", "JWTRequestFormatInvalid"}
    eventually(application.read_reasons, lambda found: wanted <= found)
    eventually(lambda: application.count("ELBAuthFailure"))


def test_targets_are_checked_by_calls_of_grpc(application: Application) -> None:
    cloud, port = application.cloud, serve_http_2([])
    quick: dict[str, Any] = {"HealthCheckIntervalSeconds": 5, "HealthCheckTimeoutSeconds": 2}
    groups = []
    for number, code in enumerate(("12", "0"), 10):
        matcher = {"GrpcCode": code}
        group = cloud.create_group(TargetType="instance", ProtocolVersion="GRPC", Matcher=matcher, **quick)
        cloud.elb.register_targets(TargetGroupArn=group, Targets=[{"Id": application.instance, "Port": port}])
        forward = {"Type": "forward", "TargetGroupArn": group}
        cloud.add_rule(application.listener["ListenerArn"], number, f"/{number}", Actions=[forward])
        groups.append(group)
    health = lambda: [cloud.health(each)[0]["TargetHealth"] for each in groups]  # noqa: E731
    healthy, unhealthy = eventually(health, lambda found: "initial" not in {each["State"] for each in found})
    assert healthy == {"State": "healthy"}
    assert unhealthy["Description"] == "Health checks failed with these codes: [12]"
