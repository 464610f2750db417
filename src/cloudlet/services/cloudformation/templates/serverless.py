"""The transform AWS::Serverless-2016-10-31, by AWS's own translator, where that is installed."""

from __future__ import annotations

import asyncio
import copy
import json
import logging
import os
from collections.abc import Mapping
from typing import Any

from cloudlet.core import AwsError
from cloudlet.services.cloudformation.templates.parameters import Value
from cloudlet.services.cloudformation.templates.transforms import TransformError

log = logging.getLogger("cloudlet.cloudformation")


async def translate(
    raw: dict[str, Any], values: Mapping[str, Value], region: str, policies: Mapping[str, str]
) -> dict[str, Any]:
    """Return a template with its serverless resources as plain ones. Raises AwsError.

    `policies` are the ARNs of AWS's managed policies by their names.
    """
    return await asyncio.to_thread(_translate, raw, values, region, policies)


def _translate(
    raw: dict[str, Any], values: Mapping[str, Value], region: str, policies: Mapping[str, str]
) -> dict[str, Any]:
    # It asks boto3 for nothing but the region.
    os.environ.setdefault("AWS_DEFAULT_REGION", region)
    try:
        import boto3
        from samtranslator.model.exceptions import InvalidDocumentException
        from samtranslator.parser.parser import Parser
        from samtranslator.translator.translator import Translator
    except ModuleNotFoundError as error:
        raise AwsError(
            "NotImplemented", f"The transform needs {error.name}: pip install cloudlet-local[serverless]", status=501
        ) from None
    # It logs what it does not expect, with all of its frames, besides raising it.
    logging.getLogger("samtranslator").setLevel(logging.CRITICAL)
    parameters = {name: value.value for name, value in values.items()}
    translator = Translator(dict(policies), Parser(), boto_session=boto3.Session(region_name=region))
    try:
        translated: dict[str, Any] = translator.translate(copy.deepcopy(raw), parameters)
    except InvalidDocumentException as error:
        causes = ". ".join(cause.message for cause in error.causes)
        raise TransformError(
            "Transform AWS::Serverless-2016-10-31 failed with: Invalid Serverless Application Specification document. "
            f"Number of errors found: {len(error.causes)}. {causes}"
        ) from None
    except Exception as error:  # what the translator does not expect is wrong in the template, too
        log.info("AWS's translator failed: %r", error)
        raise TransformError("Transform AWS::Serverless-2016-10-31 failed without an error message.") from None
    return dict(json.loads(json.dumps(translated)))
