"""TLS between Envoys: certificates by file and of ACM, who is trusted, and mutual TLS."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cryptography.x509.oid import ExtendedKeyUsageOID

from tests.certificates import Pair, make_pair
from tests.services.acm.cloud import AcmCloud
from tests.services.appmesh.envoys import SIGNED, Application, Envoys, request
from tests.services.appmesh.mesh_cloud import MeshCloud, go_to, listen
from tests.services.appmesh.sds_provider import serve_secrets
from tests.standing import eventually


def save(envoys: Envoys, name: str, pair: Pair) -> dict[str, Any]:
    """Write a certificate and its key to files; return them as a specification has them."""
    chain, key = envoys.folder / f"{name}.pem", envoys.folder / f"{name}.key"
    chain.write_bytes(pair.body)
    key.write_bytes(pair.private)
    return {"file": {"certificateChain": str(chain), "privateKey": str(key)}}


def trust(envoys: Envoys, name: str) -> dict[str, Any]:
    return {"trust": {"file": {"certificateChain": str(envoys.folder / f"{name}.pem")}}}


def policy(validation: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"clientPolicy": {"tls": {"validation": validation, **more}}}


def name_sans(*names: str) -> dict[str, Any]:
    return {"subjectAlternativeNames": {"match": {"exact": list(names)}}}


def add_node(envoys: Envoys, name: str, mode: str, certificate: dict[str, Any], host: str, **tls: Any) -> Application:
    """Create a virtual node with TLS, and start its Envoy. Its addresses are those that a name of DNS would have."""
    found: Any = envoys.cloud.aws.client("servicediscovery")
    address, application = envoys.pick_address(), envoys.pick_address()
    namespace, _, service = host.rpartition(".")[2], None, host.rpartition(".")[0]
    names = {each["Name"]: each["Id"] for each in found.list_namespaces()["Namespaces"]}
    if namespace not in names:
        operation = found.create_http_namespace(Name=namespace)["OperationId"]
        done = eventually(
            lambda: found.get_operation(OperationId=operation)["Operation"], lambda each: each["Status"] == "SUCCESS"
        )
        names[namespace] = done["Targets"]["NAMESPACE"]
    made = found.create_service(Name=service, NamespaceId=names[namespace])["Service"]["Id"]
    found.register_instance(ServiceId=made, InstanceId="one", Attributes={"AWS_INSTANCE_IPV4": address})
    listener = listen(8080, tls={"mode": mode, "certificate": certificate, **tls})
    discovery = {"awsCloudMap": {"namespaceName": namespace, "serviceName": service}}
    envoys.cloud.create_node(name, listener, serviceDiscovery=discovery)
    served = envoys.serve(name, application)
    envoys.start(f"virtualNode/{name}", address, application)
    return served


def test_certificates_by_file(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-tls-file-provided: a client takes any certificate, until it validates them."""
    for number in (1, 2):
        authority = make_pair(common=f"ca {number}", is_authority=True)
        save(envoys, f"ca{number}", authority)
        certificate = make_pair(f"color{number}.mesh", signer=authority)
        add_node(envoys, f"color{number}", "STRICT", save(envoys, f"color{number}", certificate), f"color{number}.mesh")
        cloud.create_service(f"color{number}.local", node=f"color{number}")
    envoys.add_client("color1.local", "color2.local")
    for number in (1, 2):
        envoys.expect(f"color{number}.local", f"color{number}")
    # Without TLS nobody comes in.
    try:
        status = request(envoys.addresses["color1"], 8080, "x").status
    except OSError:
        status = 0
    assert status == 0
    cloud.update_node("front", backendDefaults=policy(trust(envoys, "ca1")))
    eventually(lambda: envoys.call("color2.local").status, lambda status: status == 503)
    assert envoys.call("color1.local").body == "color1"
    wrong = {**trust(envoys, "ca1"), **name_sans("other.mesh")}
    cloud.update_node("front", backendDefaults=policy(wrong))
    eventually(lambda: envoys.call("color1.local").status, lambda status: status == 503)
    right = {**trust(envoys, "ca1"), **name_sans("other.mesh", "color1.mesh")}
    backends = [
        {"virtualService": {"virtualServiceName": "color1.local", **policy(right)}},
        {"virtualService": {"virtualServiceName": "color2.local", **policy(trust(envoys, "ca2"))}},
    ]
    cloud.update_node("front", backends=backends)
    for number in (1, 2):
        envoys.expect(f"color{number}.local", f"color{number}")


def test_a_permissive_listener_takes_both(cloud: MeshCloud, envoys: Envoys) -> None:
    authority = make_pair(common="ca", is_authority=True)
    certificate = save(envoys, "color", make_pair("color.mesh", signer=authority))
    add_node(envoys, "color", "PERMISSIVE", certificate, "color.mesh")
    cloud.create_service("color.local", node="color")
    envoys.add_client("color.local")
    envoys.expect("color.local", "color")
    assert request(envoys.addresses["color"], 8080, "x").body == "color"
    shaken = envoys.read_stats(1, "ssl.handshake")
    assert sum(shaken.values()) == 1


def test_a_policy_is_enforced(cloud: MeshCloud, envoys: Envoys) -> None:
    """A client that enforces TLS does not call without; one with `enforce: false` does."""
    save(envoys, "ca", make_pair(common="ca", is_authority=True))
    envoys.add_node("color", listen(8080))
    cloud.create_service("color.local", node="color")
    envoys.add_client("color.local", backendDefaults=policy(trust(envoys, "ca")))
    assert envoys.call("color.local").status == 503
    for change in ({"enforce": False}, {"ports": [9]}):
        cloud.update_node("front", backendDefaults=policy(trust(envoys, "ca"), **change))
        envoys.expect("color.local", "color")
        cloud.update_node("front", backendDefaults=policy(trust(envoys, "ca")))
        eventually(lambda: envoys.call("color.local").status, lambda status: status == 503)


def test_both_sides_show_certificates(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-mutual-tls-file-provided: the gateway must have one that the node trusts."""
    authority = make_pair(common="ca", is_authority=True)
    save(envoys, "ca", authority)
    both = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
    certificate = save(envoys, "color", make_pair("color.mesh", signer=authority))
    own = save(envoys, "gateway", make_pair("gateway.mesh", signer=authority, usages=both))
    validation = {**trust(envoys, "ca"), **name_sans("gateway.mesh")}
    add_node(envoys, "color", "STRICT", certificate, "color.mesh", validation=validation)
    cloud.create_service("color.local", node="color")
    cloud.create_gateway("g", listen(8088), backendDefaults=policy(trust(envoys, "ca")))
    cloud.create_gateway_route(httpRoute=go_to("color.local"))
    gateway = envoys.start("virtualGateway/g")
    assert request(gateway, 8088, "x").status == 503
    defaults = policy(trust(envoys, "ca"), certificate=own)
    spec = {"listeners": [listen(8088)], "backendDefaults": defaults}
    cloud.api.update_virtual_gateway(meshName="m", virtualGatewayName="g", spec=spec)
    eventually(lambda: request(gateway, 8088, "x").body, lambda body: body == "color")


def test_certificates_of_acm(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, tls-with-acm: our stream brings certificate and key, and the authority to clients."""
    arn = AcmCloud(cloud.aws).request("color.mesh")
    add_node(envoys, "color", "STRICT", {"acm": {"certificateArn": arn}}, "color.mesh")
    cloud.create_service("color.local", node="color")
    trusted = {"trust": {"acm": {"certificateAuthorityArns": [arn]}}}
    envoys.add_client("color.local", backendDefaults=policy(trusted))
    envoys.expect("color.local", "color")
    cloud.update_node("front", backendDefaults=policy({**trusted, **name_sans("other.mesh")}))
    eventually(lambda: envoys.call("color.local").status, lambda status: status == 503)
    other = AcmCloud(cloud.aws).bring(make_pair("color.mesh"))
    both = {"trust": {"acm": {"certificateAuthorityArns": [other, arn]}}}
    cloud.update_node("front", backendDefaults=policy(both))
    envoys.expect("color.local", "color")
    cloud.update_node("front", backendDefaults=policy({"trust": {"acm": {"certificateAuthorityArns": [other]}}}))
    eventually(lambda: envoys.call("color.local").status, lambda status: status == 503)


def test_certificates_of_a_local_provider(cloud: MeshCloud, envoys: Envoys) -> None:
    """aws-app-mesh-examples, howto-k8s-mtls-sds-based: SPIFFE ids name both sides (APPMESH_SDS_SOCKET_PATH)."""
    authority = make_pair(common="ca", is_authority=True)
    both = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
    secrets: dict[str, dict[str, Any]] = {
        "ca": {"validation_context": {"trusted_ca": {"inline_string": authority.body.decode()}}}
    }
    for name in ("front", "color"):
        pair = make_pair(f"{name}.mesh", signer=authority, usages=both)
        material = {"certificate_chain": pair.body.decode(), "private_key": pair.private.decode()}
        secrets[name] = {"tls_certificate": {key: {"inline_string": text} for key, text in material.items()}}
    socket = envoys.folder / "sds.sock"
    serve_secrets(socket, secrets)
    envoys.options = replace(SIGNED, sds_socket=str(socket))
    trusted = {"trust": {"sds": {"secretName": "ca"}}}
    own = {"sds": {"secretName": "color"}}
    add_node(envoys, "color", "STRICT", own, "color.mesh", validation={**trusted, **name_sans("front.mesh")})
    cloud.create_service("color.local", node="color")
    certificate = {"sds": {"secretName": "front"}}
    envoys.add_client("color.local", backendDefaults=policy(trusted, certificate=certificate))
    envoys.expect("color.local", "color")
    cloud.update_node("front", backendDefaults=policy(trusted))
    eventually(lambda: envoys.call("color.local").status, lambda status: status == 503)
