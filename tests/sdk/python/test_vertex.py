"""Vertex AI: who the gateway is to it, in every way that Google knows, against vendors that check with Google's own
library; and Google's own SDK on Vertex AI with the same vendors."""

import json
import time

import provider_vendors
import pytest
from google import genai
from google.auth import identity_pool
from google.genai import types
from google.oauth2 import credentials as oauth2
from google.oauth2 import service_account

from own_gateway import needs_gateway, provider, running, told

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]


@needs_gateway
@pytest.mark.parametrize("shape", ["file", "other gateways", "section"])
def test_a_service_accounts_key_signs_for_a_token(tmp_path, vendors, shape):
    token_url = f"{vendors.url}/google/token"
    account = provider_vendors.service_account(provider_vendors.GOOGLE_AUDIENCE)
    given = {
        "file": {"api_key": json.dumps({**account, "region": "global"}), "credentials": {"token_url": token_url}},
        "other gateways": {"credentials": {"token_url": token_url, "private_key_id": "key-1"}, "api_key": json.dumps(
            {"project": "proj", "location": "global", "googleCredentials": {
                "privateKey": account["private_key"], "clientEmail": account["client_email"]}})},
        "section": {"credentials": {"token_url": token_url, "private_key": account["private_key"],
                                    "private_key_id": "key-1", "client_email": account["client_email"],
                                    "project_id": "proj", "location": "global"}},
    }[shape]
    with running(tmp_path, [provider("vertex", f"{vendors.url}/vertex", **given)]) as gateway:
        gateway.says_hello("p/gemini-3.5-flash")
        gateway.says_hello("p/gemini-3.5-flash")
    assert len(vendors.asked("/google/token")) == 1


@needs_gateway
def test_a_wrong_clock_is_told_and_the_next_signature_is_right(tmp_path, vendors):
    vendors.clock_ahead = 3600
    account = json.dumps(provider_vendors.service_account(f"{vendors.url}/google/token"))
    credentials = {"service_account": account, "trusted_urls": [f"{vendors.url}/google/token"], "region": "global"}
    with running(tmp_path, [provider("vertex", f"{vendors.url}/vertex", credentials=credentials)]) as gateway:
        status, answer = gateway.chat("p/gemini-3.5-flash")
        assert status == 502 and "clock is about 60 min slow" in answer["error"]["message"], answer
        time.sleep(1.1)
        gateway.says_hello("p/gemini-3.5-flash")


@needs_gateway
@pytest.mark.parametrize("source", ["text file", "JSON file", "URL"])
@pytest.mark.parametrize("impersonates", [True, False])
def test_a_foreign_identity_becomes_a_service_account(tmp_path, vendors, source, impersonates):
    account = foreign_identity(tmp_path, vendors, source)
    urls = [account["token_url"], account["service_account_impersonation_url"], f"{vendors.url}/google/subject"]
    if not impersonates:
        del account["service_account_impersonation_url"]
        vendors.federated_is = "google"
    credentials = {"service_account": json.dumps(account), "trusted_urls": urls, "project_id": "proj", "region": "global"}
    with running(tmp_path, [provider("vertex", f"{vendors.url}/vertex", credentials=credentials)]) as gateway:
        gateway.says_hello("p/gemini-3.5-flash")
        gateway.says_hello("p/gemini-3.5-flash")
    assert len(vendors.asked("/google/sts")) == 1
    assert len(vendors.asked("/google/impersonate")) == int(impersonates)


def foreign_identity(folder, vendors, source):
    """Workload identity federation as the console writes its file."""
    (folder / "text").write_text("cluster-token")
    (folder / "json").write_text(json.dumps({"id_token": "cluster-token"}))
    in_json = {"type": "json", "subject_token_field_name": "id_token"}
    return {"type": "external_account", "audience": "//iam.googleapis.com/pool",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "token_url": f"{vendors.url}/google/sts",
            "service_account_impersonation_url": f"{vendors.url}/google/impersonate/x:generateAccessToken",
            "credential_source": {
                "text file": {"file": str(folder / "text")},
                "JSON file": {"file": str(folder / "json"), "format": in_json},
                "URL": {"url": f"{vendors.url}/google/subject", "format": in_json,
                        "headers": {"x-tells": "who-runs-here"}},
            }[source]}


@needs_gateway
def test_a_url_that_nobody_trusts_is_refused_at_the_start(tmp_path, vendors):
    account = foreign_identity(tmp_path, vendors, "URL")
    credentials = {"service_account": json.dumps(account), "project_id": "proj", "region": "global"}
    with pytest.raises(AssertionError, match="trusted_urls"):
        with running(tmp_path, [provider("vertex", f"{vendors.url}/vertex", credentials=credentials)]):
            pass
    assert not vendors.seen


@needs_gateway
@pytest.mark.parametrize("shape", ["pasted", "file of the environment"])
def test_a_persons_login_is_used(tmp_path, vendors, shape):
    (tmp_path / "login.json").write_text(json.dumps(provider_vendors.GOOGLE_LOGIN))
    credentials = {"token_url": f"{vendors.url}/google/token", "project_id": "proj", "region": "global"}
    given = {"pasted": {"api_key": json.dumps(provider_vendors.GOOGLE_LOGIN), "credentials": credentials},
             "file of the environment": {"credentials": {**credentials, "source": "environment"}}}[shape]
    environment = {} if shape == "pasted" else {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "login.json")}
    with running(tmp_path, [provider("vertex", f"{vendors.url}/vertex", **given)], environment) as gateway:
        gateway.says_hello("p/gemini-3.5-flash")
        gateway.says_hello("p/gemini-3.5-flash")
    assert len(vendors.asked("/google/token")) == 1
    assert vendors.asked("/vertex")[0]["headers"]["x-goog-user-project"] == "proj"


@needs_gateway
def test_a_login_that_was_revoked_is_told_and_its_secrets_are_not(tmp_path, vendors):
    login = {**provider_vendors.GOOGLE_LOGIN, "refresh_token": "1//revoked-4711"}
    credentials = {"token_url": f"{vendors.url}/google/token", "project_id": "proj", "region": "global"}
    section = provider("vertex", f"{vendors.url}/vertex", api_key=json.dumps(login), credentials=credentials)
    with running(tmp_path, [section]) as gateway:
        status, answer = gateway.chat("p/gemini-3.5-flash")
    assert (status, answer["error"]["code"]) == (502, "provider_credential_refused"), answer
    assert "gcloud auth application-default login" in answer["error"]["message"]
    assert "4711" not in json.dumps(answer) + told(tmp_path)


@needs_gateway
def test_a_machines_own_account_is_used_where_it_is_asked_for(tmp_path, vendors):
    credentials = {"source": "metadata", "metadata_url": vendors.url, "project_id": "proj", "region": "global"}
    with running(tmp_path, [provider("vertex", f"{vendors.url}/vertex", credentials=credentials)]) as gateway:
        gateway.says_hello("p/gemini-3.5-flash")


# Google's own SDK and library


def google_credentials(vendors, kind, folder):
    """A credential of Google's library for Google's own SDK."""
    if kind == "service account":
        account = provider_vendors.service_account(f"{vendors.url}/google/token")
        return service_account.Credentials.from_service_account_info(account, scopes=SCOPES)
    if kind == "login":
        login = {**provider_vendors.GOOGLE_LOGIN, "token_uri": f"{vendors.url}/google/token"}
        return oauth2.Credentials(None, **{name: login[name] for name in (*provider_vendors.LOGIN_PROOF, "token_uri")})
    return identity_pool.Credentials.from_info(foreign_identity(folder, vendors, kind), scopes=SCOPES)


@pytest.mark.parametrize("kind", ["service account", "login", "text file", "JSON file", "URL"])
def test_googles_sdk_on_vertex_is_accepted_by_the_same_checks(tmp_path, vendors, kind):
    with vertex_client(f"{vendors.url}/vertex", google_credentials(vendors, kind, tmp_path)) as client:
        greets(client)
    (token,) = {request["headers"]["authorization"] for request in vendors.asked("/vertex")}
    assert vendors.tokens[token.removeprefix("Bearer ")] == "google"


@needs_gateway
def test_googles_sdk_on_vertex_goes_through_with_the_gateways_service_account(tmp_path, vendors):
    account = provider_vendors.service_account(provider_vendors.GOOGLE_AUDIENCE)
    credentials = {"token_url": f"{vendors.url}/google/token", "region": "global"}
    section = provider("vertex", f"{vendors.url}/vertex", api_key=json.dumps(account), credentials=credentials,
                       passthrough=True)
    with running(tmp_path, [section]) as gateway:
        with vertex_client(f"{gateway.url}/passthrough/p/vertex", oauth2.Credentials("of-the-application")) as client:
            greets(client)
    asked = vendors.asked("/vertex/v1beta1/projects/proj/locations/global/publishers/google/models/gemini-3.5-flash:")
    assert len(asked) == 2
    for request in asked:
        assert vendors.tokens[request["headers"]["authorization"].removeprefix("Bearer ")] == "google"
        assert "of-the-application" not in json.dumps(request)


def vertex_client(url, credentials):
    once = types.HttpRetryOptions(attempts=1)
    options = types.HttpOptions(base_url=url, retry_options=once, timeout=10_000)
    return genai.Client(vertexai=True, project="proj", location="global", credentials=credentials, http_options=options)


def greets(client):
    """Asks whole and streamed."""
    whole = client.models.generate_content(model="gemini-3.5-flash", contents="Hi.")
    assert (whole.text, whole.usage_metadata.total_token_count) == ("Hello.", 2)
    parts = client.models.generate_content_stream(model="gemini-3.5-flash", contents="Hi.")
    assert "".join(part.text for part in parts) == "Hello."
