"""Who the gateway is to providers: every way to authenticate, against vendors that check with their own libraries; and
the vendors' own SDKs against the same vendors, so that what is checked here is the real thing. Google's are in
test_vertex.py."""

import json
import os
import subprocess
import time

import boto3
import botocore.config
import botocore.credentials
import ibm_cloud_sdk_core.authenticators
import msal
import provider_vendors
import pytest
import requests

from own_gateway import BINARY, START_SECONDS, needs_gateway, provider, running, told

AWS = {"accessKeyId": "AKIDEXAMPLE", "secretAccessKey": provider_vendors.AWS_KEYS["AKIDEXAMPLE"][0],
       "region": provider_vendors.REGION}
MODELS = ["p/anthropic.claude-sonnet-5-v1:0",
          "p/arn:aws:bedrock:eu-west-1:1:application-inference-profile/a b",
          "p/amazon.nova-pro-v1:0"]


# Amazon


@needs_gateway
@pytest.mark.parametrize("shape", ["pasted", "section"])
def test_requests_to_bedrock_are_signed_as_botocore_signs_them(tmp_path, vendors, shape):
    given = {"api_key": json.dumps(AWS)} if shape == "pasted" else {"credentials": AWS}
    with running(tmp_path, [provider("bedrock", vendors.url, **given)]) as gateway:
        for model in MODELS[::2]:
            gateway.says_hello(model)
    assert AWS["secretAccessKey"] not in told(tmp_path)


@needs_gateway
def test_an_arn_and_odd_letters_in_a_models_name_are_signed_as_they_are_sent(tmp_path, vendors):
    with running(tmp_path, [provider("bedrock", vendors.url, credentials=AWS)]) as gateway:
        gateway.says_hello("p/arn:aws:bedrock:eu-west-1:1:application-inference-profile/a~b=c")
    assert "%3A" in vendors.asked("/model/")[0]["path"]


@needs_gateway
def test_bedrocks_own_client_goes_through_with_the_gateways_key(tmp_path, vendors):
    # botocore sends a bearer token over TLS only, where the gateway has a certificate; here it sends no signature.
    unsigned = botocore.config.Config(signature_version=botocore.UNSIGNED)
    with running(tmp_path, [provider("bedrock", vendors.url, api_key="ABSKright", passthrough=True)]) as gateway:
        client = boto3.client("bedrock-runtime", endpoint_url=f"{gateway.url}/passthrough/p", region_name="eu-west-1",
                              config=unsigned)
        answer = client.converse(modelId=MODELS[0][2:], messages=[{"role": "user", "content": [{"text": "Hi."}]}])
    assert answer["output"]["message"]["content"] == [{"text": "Hello."}]
    assert len(vendors.asked("/model/")) == 1


@needs_gateway
def test_a_role_is_assumed_once_for_many_requests(tmp_path, vendors):
    role = {**AWS, "role_arn": "arn:aws:iam::1:role/r", "external_id": "outside", "token_url": f"{vendors.url}/sts"}
    with running(tmp_path, [provider("bedrock", vendors.url, credentials=role)]) as gateway:
        for _ in range(3):
            gateway.says_hello(MODELS[0])
    assert len(vendors.asked("/sts")) == 1


@needs_gateway
def test_a_web_identity_and_a_machines_role_are_used(tmp_path, vendors):
    (tmp_path / "token").write_text("cluster-token\n")
    environment = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ROLE_ARN": "arn:aws:iam::1:role/r"}
    web = {"source": "environment", "region": provider_vendors.REGION, "token_url": f"{vendors.url}/sts"}
    with running(tmp_path, [provider("bedrock", vendors.url, credentials=web)], environment) as gateway:
        gateway.says_hello(MODELS[0])
    machine = {"source": "metadata", "region": provider_vendors.REGION, "metadata_url": vendors.url}
    with running(tmp_path, [provider("bedrock", vendors.url, credentials=machine)]) as gateway:
        gateway.says_hello(MODELS[0])


@needs_gateway
@pytest.mark.parametrize("shown", ["file", "variable"])
def test_a_containers_role_is_used(tmp_path, vendors, shown):
    (tmp_path / "token").write_text("cluster-token\n")
    environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{vendors.url}/container", **{
        "file": {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token")},
        "variable": {"AWS_CONTAINER_AUTHORIZATION_TOKEN": "cluster-token"}}[shown]}
    credentials = {"source": "environment", "region": provider_vendors.REGION}
    with running(tmp_path, [provider("bedrock", vendors.url, credentials=credentials)], environment) as gateway:
        for _ in range(2):
            gateway.says_hello(MODELS[0])
    assert len(vendors.asked("/container")) == 1


@needs_gateway
def test_a_container_that_is_refused_is_told_in_our_words(tmp_path, vendors):
    environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{vendors.url}/container",
                   "AWS_CONTAINER_AUTHORIZATION_TOKEN": "another-token"}
    credentials = {"source": "environment", "region": provider_vendors.REGION}
    with running(tmp_path, [provider("bedrock", vendors.url, credentials=credentials)], environment) as gateway:
        status, answer = gateway.chat(MODELS[0])
    assert (status, answer["error"]["code"]) == (502, "provider_credential_refused"), answer
    assert "another-token" not in json.dumps(answer) + told(tmp_path)


@needs_gateway
def test_a_wrong_clock_is_corrected_and_the_request_signed_again(tmp_path, vendors):
    vendors.clock_ahead = 3600
    with running(tmp_path, [provider("bedrock", vendors.url, credentials=AWS)]) as gateway:
        gateway.says_hello(MODELS[0])
        gateway.says_hello(MODELS[0])
    assert len(vendors.asked("/model/")) == 3


@needs_gateway
def test_a_bedrock_key_is_a_bearer_token_and_its_refusal_speaks_of_the_region(tmp_path, vendors):
    region = {"region": provider_vendors.REGION}
    right, wrong = (provider("bedrock", vendors.url, api_key=f"ABSK{key}", credentials=region) for key in ("right", "wrong"))
    with running(tmp_path, [right, {**wrong, "name": "wrong"}]) as gateway:
        gateway.says_hello(MODELS[0])
        status, answer = gateway.chat(MODELS[0].replace("p/", "wrong/"))
    assert status == 502 and f"{provider_vendors.REGION} was asked" in answer["error"]["message"], answer


def test_boto3_is_accepted_by_the_same_checks(vendors):
    config = botocore.config.Config(retries={"total_max_attempts": 1})
    keys = {"aws_access_key_id": AWS["accessKeyId"], "aws_secret_access_key": AWS["secretAccessKey"],
            "region_name": provider_vendors.REGION, "config": config}
    client = boto3.client("bedrock-runtime", endpoint_url=vendors.url, **keys)
    for model in ["anthropic.claude-sonnet-5-v1:0", "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/x"]:
        client.converse(modelId=model, messages=[{"role": "user", "content": [{"text": "Hi."}]}])
    sts = boto3.client("sts", endpoint_url=f"{vendors.url}/sts", **keys)
    given = sts.assume_role(RoleArn="arn:aws:iam::1:role/r", RoleSessionName="x1", ExternalId="outside")["Credentials"]
    assert given["AccessKeyId"].startswith("ASIA")


def test_botocores_own_question_for_a_containers_role_is_accepted_by_the_same_checks(vendors):
    environment = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{vendors.url}/container",
                   "AWS_CONTAINER_AUTHORIZATION_TOKEN": "cluster-token"}
    found = botocore.credentials.ContainerProvider(environ=environment).load().get_frozen_credentials()
    assert (found.access_key, found.token) == ("ASIACONTAINER", "container-session")


# Azure

ENTRA = {"tenant_id": "contoso.example", "client_id": "app-1"}


@needs_gateway
@pytest.mark.parametrize("way", ["secret", "token of the cluster", "managed identity"])
def test_azure_is_asked_with_a_token_of_entra(tmp_path, vendors, way):
    (tmp_path / "token").write_text("cluster-token")
    application = {**ENTRA, "authority_url": f"{vendors.url}/entra"}
    credentials = {
        "secret": {**application, "client_secret": "app~secret&+"},
        "token of the cluster": {**application, "federated_token_file": str(tmp_path / "token")},
        "managed identity": {"source": "metadata", "metadata_url": vendors.url},
    }[way]
    with running(tmp_path, [provider("azure-openai", f"{vendors.url}/azure", credentials=credentials)]) as gateway:
        gateway.says_hello("p/gpt-4o")
        gateway.says_hello("p/gpt-4o")
    assert len(vendors.asked("/entra") + vendors.asked("/metadata")) == 1


@needs_gateway
def test_a_refused_secret_is_told_in_our_words_and_not_tried_at_every_request(tmp_path, vendors):
    credentials = {**ENTRA, "authority_url": f"{vendors.url}/entra", "client_secret": "wrong-secret-4711"}
    with running(tmp_path, [provider("azure-openai", f"{vendors.url}/azure", credentials=credentials)]) as gateway:
        answers = [gateway.chat("p/gpt-4o") for _ in range(5)]
    for status, answer in answers:
        assert (status, answer["error"]["code"]) == (502, "provider_credential_refused")
        assert "AADSTS7000215" in answer["error"]["message"] and "4711" not in json.dumps(answer)
    assert len(vendors.asked("/entra")) == 1 and not vendors.asked("/azure")
    assert "4711" not in told(tmp_path)


def test_msal_is_accepted_by_the_same_checks(vendors):
    class ToVendors:
        """Microsoft's library speaks to nobody but https."""

        @staticmethod
        def here(url):
            return url.replace("https://login.microsoftonline.com", f"{vendors.url}/entra")

        def get(self, url, **more):
            return requests.get(self.here(url), params=more.get("params"), timeout=5)

        def post(self, url, **more):
            return requests.post(self.here(url), data=more.get("data"), timeout=5)

        def close(self):
            pass

    application = msal.ConfidentialClientApplication(
        "app-1", client_credential="app~secret&+", authority="https://login.microsoftonline.com/contoso.example",
        instance_discovery=False, http_client=ToVendors())
    given = application.acquire_token_for_client(["https://cognitiveservices.azure.com/.default"])
    assert vendors.tokens[given["access_token"]] == "azure", given


# IBM


@needs_gateway
def test_an_ibm_key_is_exchanged_and_a_revoked_token_is_exchanged_again(tmp_path, vendors):
    # As S3 of the requirements writes it, with who pays in the environment.
    watsonx = {"name": "fallback", "type": "watsonx", "endpoint": vendors.url, "api_key": "${WATSONX_API_KEY}",
               "models": ["ibm/granite-13b-chat-v2"], "priority": 3,
               "credentials": {"token_url": f"{vendors.url}/ibm/identity/token"}}
    environment = {"WATSONX_API_KEY": "ibm-key", "WATSONX_PROJECT_ID": "project-1"}
    with running(tmp_path, [watsonx], environment) as gateway:
        gateway.says_hello("ibm/granite-13b-chat-v2")
        vendors.revoked.update(vendors.tokens)
        gateway.says_hello("ibm/granite-13b-chat-v2")
    assert len(vendors.asked("/ibm")) == 2


@needs_gateway
def test_a_token_is_kept_when_the_configuration_is_read_again(tmp_path, vendors):
    watsonx = {**provider("watsonx", vendors.url, api_key="ibm-key", project_id="project-1"),
               "credentials": {"token_url": f"{vendors.url}/ibm/identity/token"}}
    with running(tmp_path, [watsonx]) as gateway:
        gateway.says_hello("p/m")
        file = tmp_path / "gateway.yaml"
        configuration = json.loads(file.read_text())
        configuration["aliases"] = {"later": "p/m"}
        file.write_text(json.dumps(configuration))
        end = time.monotonic() + START_SECONDS
        while gateway.chat("later")[0] != 200:
            assert time.monotonic() < end, told(tmp_path)
            time.sleep(0.1)
    assert len(vendors.asked("/ibm")) == 1


@needs_gateway
def test_watsonx_without_a_project_is_refused_at_the_start(tmp_path, vendors):
    file = tmp_path / "gateway.yaml"
    file.write_text(json.dumps({"providers": [provider("watsonx", vendors.url, api_key="k")]}))
    process = subprocess.run([BINARY, "--config", str(file)], capture_output=True, text=True, timeout=START_SECONDS,
                             env={"PATH": os.environ["PATH"]}, cwd=tmp_path, check=False)
    assert process.returncode != 0 and "WATSONX_PROJECT_ID" in process.stdout + process.stderr


def test_ibms_own_library_is_accepted_by_the_same_checks(vendors):
    authenticator = ibm_cloud_sdk_core.authenticators.IAMAuthenticator("ibm-key", url=f"{vendors.url}/ibm")
    assert vendors.tokens[authenticator.token_manager.request_token()["access_token"]] == "ibm"
