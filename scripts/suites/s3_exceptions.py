"""Which of Ceph's s3-tests are not asked, and which ask for what AWS does not do: each with the reason.

The tests that their authors mark as failing on AWS are left out by that mark; these are the others.
"""

from __future__ import annotations

LEFT_OUT = {
    "waits a quarter of an hour for credentials to expire": ("test_assume_role_creds_expiry",),
    "version 2 signatures in headers, which S3 does not take for buckets made after June 2020": (
        "test_cors_presigned_get_object_tenant_v2",
        "test_cors_presigned_get_object_v2",
        "test_cors_presigned_put_object_tenant_v2",
        "test_cors_presigned_put_object_v2",
    ),
    "Ceph's tenants": (
        "test_block_public_policy_with_principal",
        "test_bucket_policy_different_tenant",
        "test_bucket_policy_tenanted_bucket",
        "test_get_nonpublicpolicy_principal_bucket_policy_status",
    ),
    "the request is not what the test means to send; its authors mark that Ceph fails it too": (
        "test_bucket_create_bad_authorization_empty",
        "test_bucket_create_bad_authorization_none",
        "test_bucket_policy_put_obj_request_obj_tag",
        "test_bucket_policy_set_condition_operator_end_with_IfExists",
        "test_object_create_bad_authorization_empty",
        "test_object_create_bad_authorization_none",
        "test_object_create_bad_contentlength_none",
        "test_object_read_unreadable",
        "test_object_set_get_unicode_metadata",
    ),
}

AGAINST_AWS = {
    "a policy of a role names no principal (IAM User Guide, AWS JSON policy elements: Principal)": (
        "test_assume_role_allow_head_nonexistent",
        "test_assume_role_deny_head_nonexistent",
    ),
    "a bucket or an object has one tag of a key, a session too (API reference, PutBucketTagging, PutObject; STS)": (
        "test_assume_role_with_web_identity_for_all_values_deny",
        "test_assume_role_with_web_identity_resource_tag",
        "test_assume_role_with_web_identity_resource_tag_princ_tag",
        "test_assume_role_with_web_identity_role_resource_tag",
    ),
    "aws:TagKeys is in requests that name tags (IAM User Guide, global condition keys)": (
        "test_assume_role_with_web_identity_tag_keys_role_policy",
    ),
    "a bucket's tags count as aws:ResourceTag, once ABAC is enabled for it (S3 user guide, ABAC for buckets)": (
        "test_assume_role_with_web_identity_resource_tag_copy_obj",
    ),
    "of a token's azp the condition key is aud (IAM User Guide, keys for OIDC federation)": (
        "test_assume_role_with_web_identity_with_azp",
    ),
    "there is no condition key sts:authentication (Service Authorization Reference, STS)": ("test_get_session_token",),
    "to list one's buckets takes s3:ListAllMyBuckets (API reference, ListBuckets)": (
        "test_deny_bucket_actions_in_user_policy",
    ),
    "an account's root may get, put and delete policies that deny it (API reference, DeleteBucketPolicy)": (
        "test_bucket_policy_deny_self_denied_policy_confirm_header",
    ),
    "PutBucketTagging answers 204 (API reference, its example)": ("test_allow_tagging_actions_in_user_policy",),
    "to assume a role of another account takes sts:AssumeRole by the user's own policies (STS, AssumeRole)": (
        "test_account_role_policy_allow_create_bucket",
        "test_account_role_policy_allow_get_role",
        "test_cross_account_role_policy_allow",
        "test_same_account_role_policy_allow",
    ),
    "the URL of an identity provider begins with https:// (IAM, CreateOpenIDConnectProvider)": (
        "test_account_oidc_provider",
        "test_verify_add_existing_client_id_to_oidc",
        "test_verify_add_new_client_id_to_oidc",
        "test_verify_remove_client_id_from_oidc",
        "test_verify_update_thumbprintlist_of_oidc",
    ),
    "a user in a group cannot be deleted, so that the test before has left its own (IAM, DeleteUser)": (
        "test_account_managed_group_policy_allow",
    ),
    "every bucket encrypts since January 2023, as GetBucketEncryption says (user guide, default encryption)": (
        "test_delete_bucket_encryption_kms",
        "test_delete_bucket_encryption_s3",
        "test_get_bucket_encryption_kms",
        "test_get_bucket_encryption_s3",
    ),
    "GetBucketPolicyStatus answers NoSuchBucketPolicy where there is no policy (seen on AWS: cloudquery #12163)": (
        "test_get_authpublic_acl_bucket_policy_status",
        "test_get_bucket_policy_status",
        "test_get_nonpublicpolicy_acl_bucket_policy_status",
        "test_get_public_acl_bucket_policy_status",
        "test_get_publicpolicy_acl_bucket_policy_status",
    ),
    "If-None-Match of a write takes nothing but * (API reference, PutObject; seen on AWS: aws-sdk-ruby #3144)": (
        "test_multipart_put_current_object_if_match",
        "test_multipart_put_current_object_if_none_match",
        "test_multipart_put_object_if_match",
        "test_put_current_object_if_match",
        "test_put_current_object_if_none_match",
        "test_put_object_current_if_match",
        "test_put_object_if_match",
    ),
    "a part that an object does not have is 416 InvalidPartNumber; without its key an SSE-C object is not looked at": (
        "test_multipart_get_part",
        "test_multipart_single_get_part",
        "test_multipart_sse_c_get_part",
        "test_non_multipart_get_part",
        "test_non_multipart_sse_c_get_part",
    ),
    "X-Amz-Expires below 0 or above a week is AuthorizationQueryParametersError (seen on AWS: minio #5162)": (
        "test_object_raw_get_x_amz_expires_out_max_range",
        "test_object_raw_get_x_amz_expires_out_positive_range",
        "test_object_raw_put_authenticated_expired",
    ),
    "who creates his bucket again in us-east-1 is answered 200, and its ACL is reset (API reference, CreateBucket)": (
        "test_bucket_recreate_new_acl",
        "test_bucket_recreate_overwrite_acl",
    ),
    "what is no checksum of the algorithm is InvalidRequest; BadDigest is for one that does not match": (
        "test_multipart_checksum_sha256",
        "test_object_checksum_crc64nvme",
        "test_object_checksum_sha256",
    ),
    "completing an SSE-C upload needs the key only where that was begun with ChecksumAlgorithm (API reference)": (
        "test_copy_part_enc[sse-c-sse-c-STANDARD-STANDARD-8388608]",
        "test_copy_part_enc[sse-kms-sse-c-STANDARD-STANDARD-8388608]",
        "test_copy_part_enc[sse-s3-sse-c-STANDARD-STANDARD-8388608]",
    ),
    "where the upload was begun with SHA256, completing it names each part's checksum": (
        "test_get_multipart_checksum_object_attributes",
    ),
    "another SSE-C key than the object's is 403 AccessDenied (seen on AWS: minio #6600)": (
        "test_encryption_sse_c_multipart_bad_download",
        "test_encryption_sse_c_other_key",
    ),
    "where SSE-KMS names no key, it is the account's aws/s3 key (API reference, PutObject)": ("test_sse_kms_no_key",),
    "nobody is granted anything by his e-mail address since October 2025: MethodNotAllowed (API reference, Grantee)": (
        "test_bucket_acl_grant_email_not_exist",
        "test_cross_account_bucket_acl_user_policy_grant_account_email",
        "test_cross_account_root_bucket_acl_grant_account_email",
        "test_cross_account_user_policy_bucket_acl_grant_account_email",
    ),
    "a range beyond the source of UploadPartCopy is InvalidArgument (seen on AWS: versitygw #610)": (
        "test_multipart_copy_invalid_range",
    ),
    "a part is listed once in CompleteMultipartUpload": ("test_multipart_resend_first_finishes_last",),
    "a bucket's policy names resources, and actions that apply to them": (
        "test_bucket_logging_owner",
        "test_bucket_policy_multipart",
    ),
    "logs go to a bucket of the same owner; the error for all others is InvalidTargetBucketForLogging": (
        "test_put_bucket_logging_errors",
        "test_put_bucket_logging_permissions",
        "test_put_bucket_logging_policy_wildcard",
    ),
    "aws:SourceAccount is the number of an account, not the canonical user's id": ("test_rm_bucket_logging",),
    "GetBucketLogging answers the TargetGrants that were put": ("test_put_bucket_logging",),
    "more than ten tags are BadRequest (seen on AWS: boto3 #1213)": ("test_put_excess_tags",),
    "writing with tags needs s3:PutObjectTagging, which no ACL grants (user guide, ACL overview)": (
        "test_post_object_tags_anonymous_request",
    ),
    "a form has just the fields that its policy has conditions on (API reference, POST Policy)": (
        "test_post_object_upload_checksum",
        "test_sse_kms_default_post_object_authenticated_request",
        "test_sse_s3_default_post_object_authenticated_request",
    ),
    "a body in chunks of HTTP alone, without its length, is NotImplemented (seen on AWS: aws-sdk-go #4944)": (
        "test_object_write_with_chunked_transfer_encoding",
    ),
    "x-amz-delete-marker is not in an answer where it would be false (API reference, HeadObject)": (
        "test_delete_marker_nonversioned",
    ),
    "owners and grantees have no DisplayName since November 2025 (API reference, Owner); the owner's grant is first": (
        "test_bucket_acl_canned",
        "test_bucket_acl_canned_authenticatedread",
        "test_bucket_acl_canned_publicreadwrite",
        "test_bucket_acl_default",
        "test_bucket_list_return_data",
        "test_bucket_list_return_data_versioning",
        "test_create_bucket_bucket_owner_enforced",
        "test_create_bucket_bucket_owner_preferred",
        "test_create_bucket_object_writer",
        "test_list_multipart_upload_owner",
        "test_object_acl_canned",
        "test_object_acl_canned_authenticatedread",
        "test_object_acl_canned_bucketownerfullcontrol",
        "test_object_acl_canned_bucketownerread",
        "test_object_acl_canned_during_create",
        "test_object_acl_canned_publicreadwrite",
        "test_object_acl_default",
        "test_put_bucket_acl_grant_group_read",
        "test_put_bucket_ownership_bucket_owner_enforced",
        "test_put_bucket_ownership_bucket_owner_preferred",
        "test_put_bucket_ownership_object_writer",
        "test_versioned_object_acl",
        "test_versioned_object_acl_no_version_specified",
    ),
    "GetObjectAttributes has the parts of an object only where each has a checksum (API reference, ObjectParts)": (
        "test_get_multipart_object_attributes",
        "test_get_paginated_multipart_object_attributes",
        "test_get_single_multipart_object_attributes",
    ),
    "parts have no checksum where the whole object has one; GetObjectAttributes tells a composite one without -n": (
        "test_multipart_use_cksum_helper_crc32",
        "test_multipart_use_cksum_helper_crc32c",
        "test_multipart_use_cksum_helper_crc64nvme",
        "test_multipart_use_cksum_helper_sha1",
        "test_multipart_use_cksum_helper_sha256",
    ),
    "a default retention that cannot be is InvalidArgument, which names Days or Years (seen on AWS: versitygw #1738)": (
        "test_object_lock_put_obj_lock_invalid_days",
        "test_object_lock_put_obj_lock_invalid_years",
    ),
    "an expected owner that is no account id is 400 InvalidBucketOwnerAWSAccountID (seen on AWS: loki #15382)": (
        "test_expected_bucket_owner",
    ),
    "an empty continuation token is InvalidArgument (recorded on AWS)": ("test_bucket_listv2_continuationtoken_empty",),
    "Access-Control-Request-Method counts in preflights only (user guide, CORS)": ("test_cors_origin_response",),
}


def reasons(table: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the reason for each test of a table."""
    return {test: reason for reason, tests in table.items() for test in tests}
