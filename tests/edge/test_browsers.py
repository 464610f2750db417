"""Pages in a browser: what they are allowed, and what pages from elsewhere are not."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

import pytest

from cloudlet.testing.server import Aws, Server

CREDENTIALS = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/sqs/aws4_request, SignedHeaders=host, Signature=0"
HERE, ELSEWHERE = "http://localhost:3000", "https://elsewhere.example"


def ask(
    endpoint: str, method: str, path: str = "/", body: str = "", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(urlsplit(endpoint).netloc, timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    answer = response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    connection.close()
    return answer


def list_queues(endpoint: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return ask(
        endpoint,
        "POST",
        body="{}",
        Content_Type="application/x-amz-json-1.0",
        X_Amz_Target="AmazonSQS.ListQueues",
        X_Amz_Date="20260101T000000Z",
        Authorization=CREDENTIALS,
        **headers,
    )


@pytest.mark.parametrize("origin", [HERE, "http://127.0.0.1", "http://[::1]:8080", "https://app.localhost"])
def test_pages_of_this_machine_may_read_what_an_api_answers(aws: Aws, origin: str) -> None:
    status, headers, _ = list_queues(aws.endpoint, Origin=origin)
    assert status == 200
    assert headers["access-control-allow-origin"] == "*"
    assert "x-amzn-RequestId" in headers["access-control-expose-headers"]


@pytest.mark.parametrize("path", ["/", "/000000000000/a-queue"])
def test_a_browser_is_told_what_a_page_may_send(aws: Aws, path: str) -> None:
    status, headers, _ = ask(
        aws.endpoint,
        "OPTIONS",
        path,
        Origin=HERE,
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,x-amz-target",
    )
    assert status == 200
    assert headers["access-control-allow-methods"] == "POST"
    assert headers["access-control-allow-headers"] == "authorization,x-amz-target"
    assert int(headers["access-control-max-age"]) > 0


def test_no_headers_for_who_is_no_page(aws: Aws) -> None:
    assert not [name for name in list_queues(aws.endpoint)[1] if name.startswith("access-control")]


@pytest.mark.parametrize("origin", [ELSEWHERE, "null", "http://[", "http://10.0.0.1"])
def test_pages_from_elsewhere_are_refused_where_nobody_signs(aws: Aws, origin: str) -> None:
    status, _, answer = list_queues(aws.endpoint, Origin=origin)
    assert status == 403
    assert b"AccessDenied" in answer
    status, headers, _ = ask(aws.endpoint, "OPTIONS", Origin=origin, Access_Control_Request_Method="POST")
    assert status >= 400
    assert "access-control-allow-origin" not in headers


def test_a_form_that_a_page_from_elsewhere_sends_does_nothing(aws: Aws) -> None:
    status, _, answer = ask(
        aws.endpoint,
        "POST",
        body="Action=ListQueues&Version=2012-11-05",
        Content_Type="application/x-www-form-urlencoded",
        Sec_Fetch_Site="cross-site",
    )
    assert status == 403
    assert b"AccessDenied" in answer


def test_names_that_others_may_have_lead_here_are_not_for_browsers(aws: Aws) -> None:
    """To such names browsers do not say, with a GET, which page it is that asks."""
    queues = "/?Action=ListQueues&Version=2012-11-05"
    language = {"Accept_Language": "en"}
    for path, host, headers, wanted in (
        (queues, "elsewhere.example:4566", {}, 200),
        (queues, "elsewhere.example:4566", {"User_Agent": "Mozilla/5.0"}, 403),
        (queues, "elsewhere.example:4566", language, 403),
        (queues, "localhost.localstack.cloud:4566", language, 403),
        (queues, "localhost:4566", {**language, "Sec_Fetch_Site": "none"}, 200),
        ("/_cloudlet/health", "elsewhere.example", {}, 200),
        ("/_cloudlet/health", "elsewhere.example", language, 403),
        ("/_cloudlet/health", "localhost", {**language, "Origin": ELSEWHERE}, 200),
        ("/", "elsewhere.example", {}, 200),
        ("/", "elsewhere.example", language, 403),
        ("/", "a-bucket.s3.elsewhere.example", {"Origin": "http://a-bucket.s3.elsewhere.example"}, 403),
        ("/", "s3.localhost.localstack.cloud", language, 200),
        ("/", "s3.amazonaws.com", language, 200),
        ("/", "192.168.0.1:80", language, 200),
        ("/", "a:b@c", language, 200),
    ):
        assert ask(aws.endpoint, "GET", path, Host=host, **headers)[0] == wanted, (path, host, headers)


def test_in_strict_mode_pages_from_everywhere_sign_like_everybody() -> None:
    with Server.start("--ephemeral", "--auth", "strict", "--root-key", "111122223333:AKIAKNOWN:secret") as server:
        status, headers, _ = ask(server.endpoint, "OPTIONS", Origin=ELSEWHERE, Access_Control_Request_Method="POST")
        assert (status, headers["access-control-allow-origin"]) == (200, "*")
        status, headers, answer = list_queues(server.endpoint, Origin=ELSEWHERE)
        assert status == 403
        assert b"expired" in answer
        assert headers["access-control-allow-origin"] == "*"


def test_a_page_from_elsewhere_starts_no_upload_without_asking(aws: Aws) -> None:
    """Browsers ask the bucket's rules first for what is no simple request, which such a POST is."""
    s3 = aws.client("s3")
    bucket = f"pages-{aws.account}"
    s3.create_bucket(Bucket=bucket)
    for origin, wanted in ((ELSEWHERE, 403), (HERE, 200)):
        assert ask(aws.endpoint, "POST", f"/{bucket}/key?uploads", Origin=origin)[0] == wanted
    assert len(s3.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1
    signed = urlsplit(s3.generate_presigned_url("create_multipart_upload", {"Bucket": bucket, "Key": "signed"}))
    # Nobody knows the key: a page could have made the signature up.
    for origin, wanted in ((ELSEWHERE, 403), (HERE, 200)):
        assert ask(aws.endpoint, "POST", f"{signed.path}?{signed.query}", Origin=origin)[0] == wanted


MADE_UP = (
    "&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=000000000000/20260101/us-east-1/sqs/aws4_request"
    "&X-Amz-Date={date}&X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Signature=0"
)


def test_an_image_in_a_page_changes_nothing(aws: Aws) -> None:
    """Old browsers say neither of what page it is nor that it is another site's."""
    browser = {"User_Agent": "Mozilla/5.0", "Accept_Language": "en", "Host": "localhost:4566"}
    made_up = MADE_UP.format(date=time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    create = f"/?Action=CreateQueue&Version=2012-11-05&QueueName=made-by-an-image-{aws.account}"
    for path in (create, create + made_up):
        status, _, answer = ask(aws.endpoint, "GET", path, **browser)
        assert (status, b"AccessDenied" in answer) == (403, True)
        assert ask(aws.endpoint, "GET", path, **browser, Sec_Fetch_Site="none")[0] == 403
    assert ask(aws.endpoint, "GET", "/?Action=ListQueues&Version=2012-11-05", **browser)[0] == 200
    # Who is no browser may do so, as ever.
    assert ask(aws.endpoint, "GET", create)[0] == 200


def test_a_form_needs_a_proof_of_its_site(aws: Aws) -> None:
    form = {"User_Agent": "Mozilla/5.0", "Content_Type": "application/x-www-form-urlencoded"}
    body = f"Action=CreateQueue&Version=2012-11-05&QueueName=made-by-a-form-{aws.account}"
    for proof, wanted in (
        ({}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Origin": ELSEWHERE}, 403),
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Origin": HERE}, 200),
    ):
        assert ask(aws.endpoint, "POST", body=body, **form, **proof)[0] == wanted, proof


def test_an_upload_by_a_form_needs_one_too(aws: Aws) -> None:
    bucket = f"forms-{aws.account}"
    Aws(aws.endpoint, "000000000000").client("s3").create_bucket(Bucket=bucket)
    body = '--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nk\r\n--b\r\n'
    body += 'Content-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--\r\n'
    form = {"User_Agent": "Mozilla/5.0", "Content_Type": "multipart/form-data; boundary=b"}
    for proof, wanted in (({}, 403), ({"Sec_Fetch_Site": "same-site"}, 204)):
        assert ask(aws.endpoint, "POST", f"/{bucket}", body=body, **form, **proof)[0] == wanted
