"""IBM's own SDK for watsonx.ai against the same vendor that checks the gateway. It brings pandas, which nothing else here
needs, so that it is not among the requirements: `pip install ibm-watsonx-ai` to run this."""

import httpx
import provider_vendors
import pytest

watsonx = pytest.importorskip("ibm_watsonx_ai", reason="ibm-watsonx-ai is large and not installed")
QUESTION = [{"role": "user", "content": "Hi."}]


def test_ibms_sdk_is_accepted_by_the_same_checks(vendors):
    from ibm_watsonx_ai.foundation_models import ModelInference

    class ToVendors(httpx.HTTPTransport):
        """IBM's library speaks to nobody but https."""

        def handle_request(self, request):
            path = request.url.raw_path.decode()
            prefix = "/ibm" if request.url.host == "iam.cloud.ibm.com" else ""
            request.url = httpx.URL(f"{vendors.url}{prefix}{path}")
            return super().handle_request(request)

    credentials = watsonx.Credentials(url="https://us-south.ml.cloud.ibm.com", api_key="ibm-key")
    with httpx.Client(transport=ToVendors()) as http:
        client = watsonx.APIClient(credentials, httpx_client=http)
        # Otherwise it asks another service of IBM's about the project.
        client.default_project_id = "project-1"
        model = ModelInference(
            model_id="ibm/granite-4-h-small", api_client=client, project_id="project-1", validate=False)
        assert model.chat(messages=QUESTION)["choices"][0]["message"]["content"] == "Hello."
        choices = [choice for part in model.chat_stream(messages=QUESTION) for choice in part["choices"]]
        assert "".join(choice["delta"].get("content") or "" for choice in choices) == provider_vendors.WATSONX_TEXT
    paths = [request["path"].partition("?")[0] for request in vendors.seen]
    assert paths == ["/ibm/identity/token", "/ml/v1/text/chat", "/ml/v1/text/chat_stream"]
