"""Deploys and deletes the templates below a folder, several at a time, and says what came of them.

Runtimes of Python and Node.js become those that this machine has: samples are of all years. Parameters without a
default get a value of their kind. What a template says of local files is packaged as `sam package` does. API Gateway
may write logs in each account, as it may where somebody has set its role once.

Templates are left out of the count by rules: by their resource types (`_check_types`), by their failure (`RULES`), and
single ones by their path and failure (`sample_exceptions.toml`).
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import boto3
import yaml
from awscli.customizations.cloudformation import exceptions as packaging_errors
from awscli.customizations.cloudformation.artifact_exporter import (
    RESOURCES_EXPORT_LIST,
    ServerlessFunctionResource,
    Template,
)
from awscli.customizations.cloudformation.yamlhelper import yaml_dump
from awscli.customizations.s3uploader import S3Uploader
from botocore.config import Config

from cloudlet.core.aws.resources.registry import load_resource_types
from cloudlet.testing.server import fresh_account

MAX_SECONDS = 90
MAX_BODY_BYTES = 51_200
_CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_SUFFIXES = (".yaml", ".yml", ".json", ".template")
_RUNTIME = re.compile(r"\b(python[23]\.\d+|nodejs\d+\.x)\b")
_LOCAL = re.compile(
    r"""['"]?\b(?:CodeUri|ContentUri|Code|Content|BodyS3Location|DefinitionUri|DefinitionS3Location|TemplateURL|Location)"""
    r"""['"]?\s*:\s*['"]?(?!s3:|https?:|!)[\w./]"""
)
"""A property that can be the path of a local file."""

_NESTED = re.compile(r"Embedded stack (\S+) was not successfully")
_TAKEN_BUCKET = re.compile(r"type 'AWS::S3::Bucket' with identifier '\S+' already exists")
"""The sign of a name that several templates give to a bucket: there is one bucket of a name for all accounts."""

DEPLOYED, FAILED = "deployed and deleted", "failed"
TYPES, PARAMETERS, BUILD, RUNTIME, INVALID = "types", "parameters", "build", "runtime", "invalid"
FEATURES, INTERNET = "features", "internet"
REASONS = {
    TYPES: "have resource types, transforms, or calls of services, that are not here",
    PARAMETERS: "want parameters, or exports, that only their readers can give, such as a resource that exists",
    BUILD: "want something built first",
    FEATURES: "ask for a feature of a service that Cloudlet says it has not",
    INVALID: "are refused by AWS's own rules, schemas or translator until they are edited",
    INTERNET: "need the internet while they are deployed",
    RUNTIME: "have functions in a language that is not here",
}
RULES = (
    (TYPES, r"Unrecognized resource types: \[(.*?)\]"),
    (TYPES, r"AWS service of type (\w+) not supported|does not implement targets of (\w+)"),
    (TYPES, r"The Vpc Endpoint Service '([\w.-]+)' does not exist"),
    (TYPES, r"parameter (Topics) of event source mappings"),
    # A macro that another template, or its author, has made.
    (TYPES, r"No transform named (\w+)|Fn::Transform"),
    (RUNTIME, r"Cloudlet (?:cannot run functions|has no interpreter) for|\b(?:java|dotnet|ruby|go)[0-9.x]"),
    # Another template's exports, layers of other accounts, parameters whose pattern nothing made up can match, and
    # what was made up for a parameter that has to be there.
    (PARAMETERS, r"No export named|Layer version arn:aws:lambda:\S+ does not exist|Unable to fetch parameters"),
    (PARAMETERS, r"Parameter .*(?:must match pattern|failed to satisfy constraint)"),
    (PARAMETERS, r"\bsample-\d{12}-|\bexample\.com\b"),
    (BUILD, r"Could not unzip uploaded file|Source image \S+:latest is not valid"),
    (INVALID, r"Properties validation failed|Invalid Serverless Application"),
    # What a template's readers are to write in the place of capitals.
    (INVALID, r"Resource [A-Z_]+ must be in ARN format|<<.*>>"),
    (
        INVALID,
        r"Template format error|Invalid template (?:property|resource property)|Circular dependency between",
    ),
    (INVALID, r"does not support attribute type \w+ in Fn::GetAtt"),
    (FEATURES, r"Error Code: NotImplemented|Cloudlet does not implement"),
)
"""The outcomes of templates that are not counted as failed, and what their reasons match, in their order."""

EXCEPTIONS: dict[str, dict[str, str]] = tomllib.loads(Path(__file__).with_name("sample_exceptions.toml").read_text())
"""The same for single templates, by their paths."""


@dataclass
class Outcome:
    """What came of a template."""

    path: str
    outcome: str
    reason: str = ""
    seconds: float = 0.0


_VALUES = {
    "email": "someone@example.com",
    "account": "{account}",
    "url": "https://example.com/",
    "endpoint": "https://example.com/",
    "uri": "https://example.com/",
    "webhook": "https://example.com/",
    "eventbus": "default",
    "existing": "",
    "phone": "+15555550100",
    "cidr": "10.0.0.0/16",
    "parameterpath": "/sample",
}
"""Values of parameters, by a word in their names."""


class NotApplicableError(Exception):
    """A template is none that could be deployed here."""

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


def _classify(path: str, reason: str) -> tuple[str, str]:
    """Return the outcome of a template that has failed, and why."""
    exception = EXCEPTIONS.get(path)
    if exception is not None and exception["error"] in reason:
        return exception["outcome"], exception["why"]
    for outcome, pattern in RULES:
        if found := re.search(pattern, reason):
            return outcome, next(filter(None, found.groups()), reason) if outcome == TYPES else reason
    return FAILED, reason


class _Loader(yaml.CSafeLoader):  # type: ignore[misc]
    """Reads short forms of functions as whatever they have."""


def _read_tagged(loader: Any, suffix: str, node: Any) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    read = loader.construct_mapping if isinstance(node, yaml.MappingNode) else loader.construct_sequence
    return read(node, deep=True)


_Loader.add_multi_constructor("!", _read_tagged)


def list_templates(root: Path) -> Iterator[tuple[Path, str]]:
    """Give the templates below a folder, with their text."""
    for path in sorted(root.rglob("*")):
        if path.suffix not in _SUFFIXES or "node_modules" in path.parts:
            continue
        if path.suffix == ".json" and any(path.with_suffix(each).exists() for each in (".yaml", ".yml")):
            continue
        try:
            text = path.read_text()
            # Rain's directives are no CloudFormation: its own program reads them.
            if "::" not in text or "Rain::" in text:
                continue
            template = yaml.load(text, _Loader)
        except (UnicodeDecodeError, ValueError, yaml.YAMLError):
            continue
        resources = template.get("Resources") if isinstance(template, dict) else None
        if isinstance(resources, dict) and all(isinstance(each, dict) for each in resources.values()):
            yield path, text


class Samples:
    """The templates of a checkout, on a Cloudlet."""

    def __init__(self, root: Path, endpoint: str) -> None:
        self.root = root
        self.endpoint = endpoint
        node = subprocess.run([shutil.which("node") or "node", "--version"], capture_output=True, text=True, check=True)
        self._node = f"nodejs{node.stdout.strip().removeprefix('v').partition('.')[0]}.x"
        self._python = "python{}.{}".format(*sys.version_info)

    def run_all(self, templates: list[tuple[Path, str]], jobs: int) -> Iterator[Outcome]:
        """Deploy and delete templates, several at a time, and one whose bucket another one has at the end."""
        later = []
        with ThreadPoolExecutor(jobs) as threads:
            running = {threads.submit(self.run, *each): each for each in templates}
            for done in as_completed(running):
                found = done.result()
                if found.outcome == FAILED and _TAKEN_BUCKET.search(found.reason):
                    later.append(running[done])
                else:
                    yield found
        for each in later:
            yield self.run(*each)

    def run(self, path: Path, text: str) -> Outcome:
        """Deploy and delete a template."""
        begun = time.monotonic()
        found = Outcome(str(path.relative_to(self.root)), DEPLOYED)
        try:
            self._deploy(path, text)
        except NotApplicableError as error:
            found.outcome, found.reason = error.outcome, str(error)
        except Exception as error:  # One template stops no other.
            found.outcome, found.reason = _classify(found.path, str(error) or repr(error))
        found.seconds = round(time.monotonic() - begun, 1)
        return found

    def _deploy(self, path: Path, text: str) -> None:
        account = fresh_account()
        options = {"endpoint_url": self.endpoint, "region_name": "us-east-1"}
        keys = {"aws_access_key_id": account, "aws_secret_access_key": "test"}
        session = boto3.Session(**keys)
        once = Config(retries={"max_attempts": 1})
        clients = (
            session.client(name, **options, config=once) for name in ("s3", "cloudformation", "apigateway", "iam")
        )
        s3, cloudformation, apigateway, iam = clients
        _let_gateways_log(apigateway, iam)
        bucket = f"samples-{account}"
        s3.create_bucket(Bucket=bucket)
        body = _RUNTIME.sub(lambda match: self._python if match[0].startswith("python") else self._node, text)
        # The code of a function of SAM is in the template's folder where nothing else is said.
        is_local = _LOCAL.search(body) or "AWS::Serverless::Function" in body
        packaged = _package(path, body, S3Uploader(s3, bucket)) if is_local else body
        template = yaml.load(packaged, _Loader)
        _check_types(template)
        parameters = list(_give_parameters(template, account))
        given: dict[str, Any] = {"Parameters": parameters}
        if len(packaged.encode()) > MAX_BODY_BYTES:
            s3.put_object(Bucket=bucket, Key="template", Body=packaged.encode())
            given["TemplateURL"] = f"{self.endpoint}/{bucket}/template"
        else:
            given["TemplateBody"] = packaged
        stack = cloudformation.create_stack(StackName="sample", Capabilities=_CAPABILITIES, **given)["StackId"]
        failure = _wait(cloudformation, stack, "CREATE_COMPLETE")
        cloudformation.delete_stack(StackName=stack)
        failure = failure or _wait(cloudformation, stack, "DELETE_COMPLETE")
        if failure:
            raise RuntimeError(failure)


def _check_types(template: dict[str, Any]) -> None:
    """Raise NotApplicableError for resource types that are not here."""
    kinds = {str(each.get("Type")) for each in template["Resources"].values()}
    own = ("AWS::Serverless::", "Custom::", "AWS::CloudFormation::")
    if missing := sorted(kind for kind in kinds - load_resource_types().keys() if not kind.startswith(own)):
        raise NotApplicableError(TYPES, ", ".join(missing))


def _let_gateways_log(apigateway: Any, iam: Any) -> None:
    """Set the role by which API Gateway writes logs in an account, as its console does."""
    service = {"Effect": "Allow", "Principal": {"Service": "apigateway.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [service]})
    role = iam.create_role(RoleName="apigateway-logs", AssumeRolePolicyDocument=trust)["Role"]
    operations = [{"op": "replace", "path": "/cloudwatchRoleArn", "value": role["Arn"]}]
    apigateway.update_account(patchOperations=operations)


class _FunctionSource(ServerlessFunctionResource):  # type: ignore[misc]
    """The code of a function, which `aws cloudformation package` takes from a folder even if it is in the template."""

    def export(self, resource_id: str, resource_dict: dict[str, Any], parent_dir: str) -> None:
        if resource_dict.get("PackageType") != "Image" and "InlineCode" not in resource_dict:
            super().export(resource_id, resource_dict, parent_dir)


_EXPORTED = [_FunctionSource if each is ServerlessFunctionResource else each for each in RESOURCES_EXPORT_LIST]


def _give_sources(template: dict[str, Any]) -> None:
    """Write the folder that all functions share to each function, as only SAM reads `Globals`."""
    source = ((template.get("Globals") or {}).get("Function") or {}).get("CodeUri")
    for resource in template["Resources"].values() if source else ():
        properties = resource.get("Properties") or {}
        if resource.get("Type") == "AWS::Serverless::Function" and "InlineCode" not in properties:
            properties.setdefault("CodeUri", source)


def _package(path: Path, text: str, uploader: S3Uploader) -> str:
    """Return a template whose local files are in a bucket. Raises NotApplicableError."""
    with tempfile.NamedTemporaryFile("w", suffix=path.suffix) as file:
        file.write(text)
        file.flush()
        try:
            template = Template(file.name, str(path.parent), uploader, _EXPORTED)
            _give_sources(template.template_dict)
            # Paths are relative to where the template was, not to where its copy is.
            template.template_dir = str(path.parent)
            exported = template.export()
        except (packaging_errors.CloudFormationCommandError, OSError) as error:
            raise NotApplicableError(BUILD, str(error)) from None
    return str(yaml_dump(exported))


def _give_parameters(template: dict[str, Any], account: str) -> Iterator[dict[str, str]]:
    """Give values for the parameters that have no default. Raises NotApplicableError."""
    for name, declared in (template.get("Parameters") or {}).items():
        if "Default" in declared:
            continue
        kind = str(declared.get("Type", "String"))
        if kind.startswith(("AWS::EC2", "List<AWS", "AWS::Route53", "AWS::SSM")):
            raise NotApplicableError(PARAMETERS, f"{name}: {kind}")
        yield {"ParameterKey": name, "ParameterValue": _make_value(name, kind, declared, account)}


def _make_value(name: str, kind: str, declared: dict[str, Any], account: str) -> str:
    if allowed := declared.get("AllowedValues"):
        return str(allowed[0])
    if "Number" in kind:
        return str(declared.get("MinValue", 1))
    lower = name.lower()
    if re.search(r"(arns?|image(ur[il])?)$", lower) and not _is_match(declared.get("AllowedPattern") or ".", ""):
        raise NotApplicableError(PARAMETERS, f"{name}: {declared.get('Description', kind)}")
    described = str(declared.get("Description", "")).lower()
    # An "endpoint" whose description asks for an e-mail address is one.
    for text in (described, lower) if "email" in described else (lower, described):
        for word, value in _VALUES.items():
            if word in text and _is_match(declared.get("AllowedPattern") or ".*", value):
                return value.format(account=account)
    if "arn" in lower or lower.endswith(("vpcid", "subnetid", "hostedzoneid")):
        raise NotApplicableError(PARAMETERS, f"{name}: {declared.get('Description', kind)}")
    value = f"sample-{account}-{lower}"[: int(declared.get("MaxLength", 60))]
    value = value.ljust(int(declared.get("MinLength", 0)), "x")
    pattern = declared.get("AllowedPattern")
    if pattern and not _is_match(pattern, value):
        candidates = (
            "",
            "sample",
            "Sample1x",
            "10.0.0.0/16",
            "example.com",
            "1.2.3.4",
            "arn:aws:s3:::sample",
            "us-east-1",
        )
        value = next((each for each in candidates if _is_match(pattern, each)), value)
    return value


def _is_match(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        return True


def _wait(cloudformation: Any, stack: str, wanted: str) -> str:
    """Return why a stack does not get to a state; nothing where it does."""
    deadline = time.monotonic() + MAX_SECONDS
    while time.monotonic() < deadline:
        status = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        if status == wanted:
            return ""
        if not status.endswith("_IN_PROGRESS"):
            return _find_reason(cloudformation, stack) or status
        time.sleep(0.2)
    waiting = [
        each["ResourceType"]
        for each in cloudformation.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        if each["ResourceStatus"].endswith("_IN_PROGRESS")
    ]
    return f"after {MAX_SECONDS} seconds in progress: {', '.join(sorted(set(waiting)))}"


def _find_reason(cloudformation: Any, stack: str) -> str:
    """Return the type and reason of the first resource that failed, in a nested stack where it is one's."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"]]
    for event in reversed(events):
        if event["ResourceStatus"].endswith("_FAILED") and "cancelled" not in event.get("ResourceStatusReason", ""):
            reason = event.get("ResourceStatusReason", "")
            nested = _NESTED.search(reason)
            return _find_reason(cloudformation, nested[1]) if nested else f"{event['ResourceType']}: {reason}"
    for event in cloudformation.describe_events(StackName=stack, Filters={"FailedEvents": True})["OperationEvents"]:
        if name := event.get("ValidationName"):
            kind = "Properties validation failed: " if name == "PROPERTY_VALIDATION" else ""
            return f"{event['ResourceType']}: {kind}{event.get('ValidationStatusReason', '')}"
    return next((each["ResourceStatusReason"] for each in events if each.get("ResourceStatusReason")), "")


def report(found: list[Outcome]) -> None:
    """Print how many templates there are of each outcome, and why others failed."""
    counts = Counter(each.outcome for each in found)
    tried = counts[DEPLOYED] + counts[FAILED]
    print(f"{len(found)} templates; of {tried} that can be deployed here, {counts[DEPLOYED]} were deployed and deleted")
    if tried:
        print(f"that is {100 * counts[DEPLOYED] / tried:.1f} %")
    for outcome, text in REASONS.items():
        print(f"  {counts[outcome]} {text}")
    if stale := [each.path for each in found if each.outcome == DEPLOYED and each.path in EXCEPTIONS]:
        print("  no exceptions any more:", ", ".join(sorted(stale)))
    missing = Counter(one for each in found if each.outcome == TYPES for one in each.reason.split(", "))
    print("missing most often:", ", ".join(f"{name} ({count})" for name, count in missing.most_common(12)))
    shown = (each for each in found if each.outcome in (FAILED, FEATURES))
    for each in sorted(shown, key=lambda each: (each.outcome, each.reason)):
        print(f"- {each.path}: {each.reason[:300]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--only", default="", help="templates with this in their path")
    parser.add_argument("--skip", type=int, default=0, help="so many of the first are left out")
    parser.add_argument("--limit", type=int, help="so many are tried at most")
    parser.add_argument("--jobs", type=int, default=4)
    given = parser.parse_args()
    samples = Samples(given.checkout, given.endpoint)
    chosen = (each for each in list_templates(given.checkout) if given.only in str(each[0]))
    templates = islice(chosen, given.skip, None if given.limit is None else given.skip + given.limit)
    with (given.results / "outcomes.jsonl").open("a") as file:
        found: list[Outcome] = []
        for each in samples.run_all(list(templates), given.jobs):
            found.append(each)
            file.write(json.dumps(asdict(each)) + "\n")
            file.flush()
    report(found)


if __name__ == "__main__":
    main()
