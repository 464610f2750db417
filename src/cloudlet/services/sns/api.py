"""The operations of SNS: check, decide, answer."""

from __future__ import annotations

from cloudlet.core import AwsError, Context, Params, Result, Service, Transaction
from cloudlet.core.aws import tags as core_tags
from cloudlet.core.host import url_passwords
from cloudlet.core.kernel.block import Block
from cloudlet.core.kernel.service import Page
from cloudlet.services.sns import (
    access,
    archive,
    confirming,
    data_protection,
    delivery,
    errors,
    fifo,
    limits,
    measuring,
    notices,
    paging,
    permissions,
    platform,
    publishing,
    push,
    sandbox,
    signing,
    sms,
    sms_settings,
    status_log,
    subscribing,
    subscription,
    subscription_attributes,
    tags,
    topic_attributes,
    tracing,
)
from cloudlet.services.sns import topic as topics
from cloudlet.services.sns.subscription import Subscription
from cloudlet.services.sns.topic_record import Topic, arn_of

service = Service(
    "sns",
    admits_anonymous=access.ANONYMOUS_ACTIONS,
    decides=access.ACTIONS,
    access_denied=access.make_denial,
    from_pages=("ConfirmSubscription", "Unsubscribe"),
    data_events=("Publish", "PublishBatch"),
    hidden=(
        "Message",
        "MessageAttributes",
        "OneTimePassword",
        "PlatformCredential",
        "PlatformPrincipal",
        "Subject",
        "Token",
    ),
    namespace="AWS/SNS",
    reserved_tag="InvalidParameter",
)
service.observe(measuring.note)
for _job in (delivery.deliver, notices.send, confirming.expire, archive.expire, status_log.write):
    service.job(_job)


def _in_open_mode(page: Page) -> Page:
    """Return a page with messages on it, which in strict mode everybody could read: there it is not shown."""

    async def shown(block: Block) -> tuple[str, bytes]:
        if block.is_strict:
            return "text/plain", b"This is shown in open mode only. In strict mode, read the file in the data folder.\n"
        return await page(block)

    return shown


service.folder(signing.FOLDER)(signing.file)
service.page(signing.OLD_PAGE)(signing.page)
service.page("sms")(_in_open_mode(sms.page))
service.page("push")(_in_open_mode(push.page))
service.page("delivery-status")(_in_open_mode(status_log.page))


async def _topic(ctx: Context, tx: Transaction, params: Params, action: str, *, name: str = "TopicArn") -> Topic:
    """Return the topic that a request is about, if the caller may do this to it."""
    topic = await topics.get(tx, params[name], name, region=ctx.region)
    access.authorize(ctx, topic, action, params)
    return topic


def _millis(ctx: Context) -> int:
    return int(ctx.now() * 1000)


# -- topics


@service.operation("CreateTopic")
async def create_topic(ctx: Context, tx: Transaction, params: Params) -> Result:
    name, wanted = params["Name"], params.get("Attributes") or {}
    arn = arn_of(ctx.account, ctx.region, name)
    tracing.check_possible(ctx, wanted.get("TracingConfig"))
    checked = topic_attributes.created(name, wanted, arn, ctx.now())
    labels = tags.with_tags({}, params.get("Tags") or [])
    protection = data_protection.checked(params.get("DataProtectionPolicy") or "", fifo=arn.endswith(".fifo"))
    existing = await topics.by_name(tx, ctx.account, ctx.region, name)
    if existing is None:
        topic = await topics.create(tx, ctx.account, ctx.region, name, checked, labels, _millis(ctx))
        data_protection.store(tx, topic, protection)
    else:
        topic_attributes.check_same(existing, wanted, checked)
        if params.get("Tags") and existing.tags != labels:
            raise errors.invalid_parameter("Tags", "Topic already exists with different tags")
        if protection and protection != await data_protection.of_topic(tx, existing):
            raise errors.invalid_parameter(
                "DataProtectionPolicy", "Topic already exists with different data protection policy"
            )
    return {"TopicArn": arn}


@service.operation("DeleteTopic")
async def delete_topic(ctx: Context, tx: Transaction, params: Params) -> Result:
    try:
        topic = await _topic(ctx, tx, params, "DeleteTopic")
    except AwsError as error:
        if error.code == "NotFound":
            access.authorize_absent(ctx, params["TopicArn"], "DeleteTopic")
            return None
        raise
    if "ArchivePolicy" in topic.attributes:
        raise AwsError("InvalidState", "Invalid state: Cannot delete a topic with an ArchivePolicy")
    await subscription.remove_all(tx, topic)
    topics.remove(tx, topic)
    return None


@service.operation("ListTopics")
async def list_topics(ctx: Context, tx: Transaction, params: Params) -> Result:
    rows, token = await paging.page(tx, topics.of_account(ctx.account, ctx.region), params.get("NextToken"))
    return {"Topics": [{"TopicArn": topics.decode(raw).arn} for _, raw in rows], "NextToken": token}


@service.operation("GetTopicAttributes")
async def get_topic_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _topic(ctx, tx, params, "GetTopicAttributes")
    return {"Attributes": await topic_attributes.shown(tx, topic, ctx.now())}


@service.operation("SetTopicAttributes")
async def set_topic_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _topic(ctx, tx, params, "SetTopicAttributes")
    name, value = params["AttributeName"], params.get("AttributeValue") or ""
    tracing.check_possible(ctx, value if name == "TracingConfig" else None)
    changed = topics.change(
        tx, topic, attributes=topic_attributes.changed(topic.attributes, name, value, topic.arn, ctx.now())
    )
    if changed.maximum_message_bytes > limits.MESSAGE_BYTES:
        await subscribing.check_large_messages(tx, changed)
    return None


@service.operation("AddPermission")
async def add_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _topic(ctx, tx, params, "AddPermission")
    policy = permissions.with_permission(topic, params["Label"], params["AWSAccountId"], params["ActionName"])
    topics.change(tx, topic, attributes={**topic.attributes, "Policy": policy})
    return None


@service.operation("RemovePermission")
async def remove_permission(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _topic(ctx, tx, params, "RemovePermission")
    policy = permissions.without_permission(topic, params["Label"])
    kept = {name: value for name, value in topic.attributes.items() if name != "Policy"}
    topics.change(tx, topic, attributes=kept if policy is None else {**kept, "Policy": policy})
    return None


@service.operation("GetDataProtectionPolicy")
async def get_data_protection_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _topic(ctx, tx, params, "GetDataProtectionPolicy", name="ResourceArn")
    return {"DataProtectionPolicy": await data_protection.of_topic(tx, topic)}


@service.operation("PutDataProtectionPolicy")
async def put_data_protection_policy(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _topic(ctx, tx, params, "PutDataProtectionPolicy", name="ResourceArn")
    data_protection.store(tx, topic, data_protection.checked(params["DataProtectionPolicy"], fifo=topic.fifo))
    return None


async def _tagged(ctx: Context, tx: Transaction, params: Params, action: str) -> Topic:
    try:
        return await _topic(ctx, tx, params, action, name="ResourceArn")
    except AwsError as error:
        raise errors.no_such_resource() if error.code == "NotFound" else error from error


@service.operation("TagResource")
async def tag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _tagged(ctx, tx, params, "TagResource")
    topics.change(tx, topic, tags=tags.with_tags(topic.tags, params["Tags"]))
    return None


@service.operation("UntagResource")
async def untag_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _tagged(ctx, tx, params, "UntagResource")
    topics.change(tx, topic, tags=core_tags.remove(topic.tags, params["TagKeys"]))
    return None


@service.operation("ListTagsForResource")
async def list_tags_for_resource(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _tagged(ctx, tx, params, "ListTagsForResource")
    return {"Tags": core_tags.to_list(topic.tags)}


# -- messages

service.direct("Publish")(publishing.publish)
service.direct("PublishBatch")(publishing.publish_batch)


# -- subscriptions


def _replay_if_asked(tx: Transaction, topic: Topic, subscribed: Subscription) -> None:
    if archive.is_asked_for(subscribed):
        fifo.wake(tx, topic)


def _listed(existing: Subscription) -> dict[str, str]:
    return {
        "SubscriptionArn": existing.arn if existing.confirmed else "PendingConfirmation",
        "Owner": existing.owner,
        "Protocol": existing.protocol,
        # GetSubscriptionAttributes alone shows its password (Developer Guide, "Fanout to HTTP/S endpoints").
        "Endpoint": url_passwords.masked(existing.endpoint),
        "TopicArn": existing.topic,
    }


@service.operation("Subscribe")
async def subscribe(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _topic(ctx, tx, params, "Subscribe")
    subscribed = await subscribing.subscribe(ctx, tx, topic, params)
    _replay_if_asked(tx, topic, subscribed)
    told = subscribed.confirmed or params.get("ReturnSubscriptionArn")
    return {"SubscriptionArn": subscribed.arn if told else "pending confirmation"}


@service.operation("ConfirmSubscription")
async def confirm_subscription(ctx: Context, tx: Transaction, params: Params) -> Result:
    signed = access.is_signed(ctx)
    access.authorize_link(ctx, "ConfirmSubscription", params["TopicArn"])
    # The link in a message is opened unsigned, and such a request does not say for which region it is.
    topic = await topics.get(tx, params["TopicArn"], region=ctx.region if signed else "")
    pending = await confirming.by_token(tx, topic, params["Token"], _millis(ctx))
    if not pending.confirmed:
        must_sign = (params.get("AuthenticateOnUnsubscribe") or "").lower() == "true" and signed
        confirmed = await confirming.confirm(tx, topic, pending, authenticated=signed, must_sign=must_sign)
        _replay_if_asked(tx, topic, confirmed)
    return {"SubscriptionArn": pending.arn}


@service.operation("Unsubscribe")
async def unsubscribe(ctx: Context, tx: Transaction, params: Params) -> Result:
    signed = access.is_signed(ctx)
    access.authorize_link(ctx, "Unsubscribe", "*")
    subscription.check_arn(params["SubscriptionArn"], ctx.region if signed else "")
    found = await subscription.find(tx, params["SubscriptionArn"])
    if found is None:
        return None
    topic, existing = found
    if signed or subscription_attributes.needs_signed_end(existing):
        access.authorize_owner(ctx, topic, existing, "Unsubscribe", signed=signed)
    if not existing.confirmed:
        raise errors.invalid_parameter(
            "SubscriptionArn", "Cannot unsubscribe a subscription that is pending confirmation"
        )
    if not signed or ctx.principal.account != existing.owner:
        confirming.say_goodbye(tx, topic, existing, _millis(ctx))
    subscription.remove(tx, topic, existing)
    return None


@service.operation("ListSubscriptions")
async def list_subscriptions(ctx: Context, tx: Transaction, params: Params) -> Result:
    index = subscription.of_owner(ctx.account, ctx.region)
    rows, token = await paging.page(tx, index, params.get("NextToken"))
    found = [await subscription.of_index(tx, index, key) for key, _ in rows]
    return {"Subscriptions": [_listed(each) for each in found], "NextToken": token}


@service.operation("ListSubscriptionsByTopic")
async def list_subscriptions_by_topic(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic = await _topic(ctx, tx, params, "ListSubscriptionsByTopic")
    rows, token = await paging.page(tx, subscription.of_number(topic.number), params.get("NextToken"))
    return {"Subscriptions": [_listed(subscription.decode(raw)) for _, raw in rows], "NextToken": token}


async def _subscription(ctx: Context, tx: Transaction, params: Params, action: str) -> tuple[Topic, Subscription]:
    """Return the subscription that a request is about, and its topic, if the caller may do this to it."""
    topic, existing = await subscription.get(tx, params["SubscriptionArn"], region=ctx.region)
    access.authorize_owner(ctx, topic, existing, action)
    return topic, existing


@service.operation("GetSubscriptionAttributes")
async def get_subscription_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic, existing = await _subscription(ctx, tx, params, "GetSubscriptionAttributes")
    return {"Attributes": subscription_attributes.to_api(topic, existing)}


@service.operation("SetSubscriptionAttributes")
async def set_subscription_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    topic, existing = await _subscription(ctx, tx, params, "SetSubscriptionAttributes")
    name, value = params["AttributeName"], params.get("AttributeValue") or ""
    changed = subscription_attributes.changed(
        topic, existing.owner, existing.protocol, existing.attributes, name, value, ctx.now()
    )
    if "FilterPolicy" in changed and "FilterPolicy" not in existing.attributes:
        await subscription_attributes.check_filter_quota(tx, topic)
    after = subscription.with_attributes(existing, changed)
    subscription.store(tx, topic, after, existing)
    _replay_if_asked(tx, topic, after)
    return None


# -- platform applications and endpoints


async def _application(ctx: Context, tx: Transaction, params: Params, action: str) -> platform.Application:
    found = await platform.application(tx, params["PlatformApplicationArn"], ctx.region)
    access.require_own_account(ctx, found.account, action, found.arn)
    return found


async def _endpoint(
    ctx: Context, tx: Transaction, params: Params, action: str
) -> tuple[platform.Application, platform.Endpoint]:
    of, found = await platform.endpoint(tx, params["EndpointArn"], ctx.region)
    access.require_own_account(ctx, of.account, action, params["EndpointArn"])
    return of, found


@service.operation("CreatePlatformApplication")
async def create_platform_application(ctx: Context, tx: Transaction, params: Params) -> Result:
    try:
        created = await platform.create_application(ctx, tx, params["Name"], params["Platform"], params["Attributes"])
    except AwsError as error:
        raise errors.without_prefix(error) from error
    return {"PlatformApplicationArn": created.arn}


@service.operation("DeletePlatformApplication")
async def delete_platform_application(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await platform.find_application(tx, params["PlatformApplicationArn"], ctx.region)
    if found is not None:
        access.require_own_account(ctx, found.account, "DeletePlatformApplication", found.arn)
        platform.delete_application(tx, found)
    return None


@service.operation("GetPlatformApplicationAttributes")
async def get_platform_application_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _application(ctx, tx, params, "GetPlatformApplicationAttributes")
    return {"Attributes": platform.shown_application(found)}


@service.operation("SetPlatformApplicationAttributes")
async def set_platform_application_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await _application(ctx, tx, params, "SetPlatformApplicationAttributes")
    platform.change_application(tx, found, params["Attributes"])
    return None


@service.operation("ListPlatformApplications")
async def list_platform_applications(ctx: Context, tx: Transaction, params: Params) -> Result:
    rows, token = await paging.page(tx, platform.of_account(ctx.account, ctx.region), params.get("NextToken"))
    found = [platform.decode_application(raw) for _, raw in rows]
    listed = [{"PlatformApplicationArn": each.arn, "Attributes": platform.shown_application(each)} for each in found]
    return {"PlatformApplications": listed, "NextToken": token}


@service.operation("CreatePlatformEndpoint")
async def create_platform_endpoint(ctx: Context, tx: Transaction, params: Params) -> Result:
    application = await _application(ctx, tx, params, "CreatePlatformEndpoint")
    attributes = dict(params.get("Attributes") or {})
    if params.get("CustomUserData") is not None:
        attributes["CustomUserData"] = params["CustomUserData"]
    return {"EndpointArn": await platform.create_endpoint(tx, application, params["Token"], attributes)}


@service.operation("DeleteEndpoint")
async def delete_endpoint(ctx: Context, tx: Transaction, params: Params) -> Result:
    found = await platform.find_endpoint(tx, params["EndpointArn"], ctx.region)
    if found is not None:
        access.require_own_account(ctx, found[0].account, "DeleteEndpoint", params["EndpointArn"])
        platform.delete_endpoint(tx, *found)
    return None


@service.operation("GetEndpointAttributes")
async def get_endpoint_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    _, found = await _endpoint(ctx, tx, params, "GetEndpointAttributes")
    return {"Attributes": found.attributes}


@service.operation("SetEndpointAttributes")
async def set_endpoint_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    of, found = await _endpoint(ctx, tx, params, "SetEndpointAttributes")
    await platform.change_endpoint(tx, of, found, params["Attributes"])
    return None


@service.operation("ListEndpointsByPlatformApplication")
async def list_endpoints_by_platform_application(ctx: Context, tx: Transaction, params: Params) -> Result:
    of = await _application(ctx, tx, params, "ListEndpointsByPlatformApplication")
    rows, token = await paging.page(tx, of.endpoints, params.get("NextToken"))
    listed = [platform.listed_endpoint(of, platform.decode_endpoint(raw)) for _, raw in rows]
    return {"Endpoints": listed, "NextToken": token}


# -- SMS


@service.operation("SetSMSAttributes")
async def set_sms_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    await sms_settings.change(tx, ctx.account, ctx.region, params["attributes"])
    return {}


@service.operation("GetSMSAttributes")
async def get_sms_attributes(ctx: Context, tx: Transaction, params: Params) -> Result:
    settings = await sms_settings.of_account(tx, ctx.account, ctx.region)
    names = params.get("attributes") or list(settings)
    return {"attributes": {name: settings[name] for name in names if name in settings}}


def _check_phone_number(number: str) -> None:
    if not limits.is_phone_number(number):
        raise errors.invalid_parameter("PhoneNumber", "input incorrectly formatted")


# Nobody can answer STOP to a message that is written to a file: no number is ever opted out.


@service.operation("CheckIfPhoneNumberIsOptedOut")
async def check_if_phone_number_is_opted_out(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_phone_number(params["phoneNumber"])
    return {"isOptedOut": False}


@service.operation("ListPhoneNumbersOptedOut")
async def list_phone_numbers_opted_out(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("nextToken") is not None:
        raise errors.invalid_parameter("nextToken")
    return {"phoneNumbers": []}


@service.operation("OptInPhoneNumber")
async def opt_in_phone_number(ctx: Context, tx: Transaction, params: Params) -> Result:
    _check_phone_number(params["phoneNumber"])
    return {}


@service.operation("ListOriginationNumbers")
async def list_origination_numbers(ctx: Context, tx: Transaction, params: Params) -> Result:
    if params.get("NextToken") is not None:
        raise errors.invalid_parameter("NextToken")
    return {"PhoneNumbers": []}


@service.operation("GetSMSSandboxAccountStatus")
async def get_sms_sandbox_account_status(ctx: Context, tx: Transaction, params: Params) -> Result:
    return {"IsInSandbox": False}


@service.direct("CreateSMSSandboxPhoneNumber")
async def create_sms_sandbox_phone_number(ctx: Context, params: Params) -> Result:
    number, space = params["PhoneNumber"], sandbox.of_account(ctx.account, ctx.region)
    password = await ctx.transact(lambda tx: sandbox.add(tx, space, number, _millis(ctx)))
    text = sandbox.text(password, params.get("LanguageCode") or sandbox.LANGUAGE)
    await sms.send(ctx.block, number, text, account=ctx.account, region=ctx.region)
    return {}


@service.direct("VerifySMSSandboxPhoneNumber")
async def verify_sms_sandbox_phone_number(ctx: Context, params: Params) -> Result:
    space = sandbox.of_account(ctx.account, ctx.region)
    number, password = params["PhoneNumber"], params["OneTimePassword"]
    if not await ctx.transact(lambda tx: sandbox.verify(tx, space, number, password, _millis(ctx))):
        raise AwsError("VerificationException", "Verification failed.", Status="Pending")
    return {}


@service.operation("DeleteSMSSandboxPhoneNumber")
async def delete_sms_sandbox_phone_number(ctx: Context, tx: Transaction, params: Params) -> Result:
    await sandbox.delete(tx, sandbox.of_account(ctx.account, ctx.region), params["PhoneNumber"], _millis(ctx))
    return {}


@service.operation("ListSMSSandboxPhoneNumbers")
async def list_sms_sandbox_phone_numbers(ctx: Context, tx: Transaction, params: Params) -> Result:
    space = sandbox.of_account(ctx.account, ctx.region)
    size = params.get("MaxResults") or limits.LISTED
    rows, token = await paging.page(tx, space, params.get("NextToken"), size=size)
    return {"PhoneNumbers": [sandbox.decode(raw).shown for _, raw in rows], "NextToken": token}
