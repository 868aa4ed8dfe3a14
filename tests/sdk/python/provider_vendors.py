"""Vendors in one small server: where tokens are given out, and what they are good for. What is checked is checked with
the vendors' own libraries; a request that they would not accept is refused as they refuse it."""

import base64
import contextlib
import datetime
import email.utils
import hashlib
import http.server
import json
import pathlib
import re
import threading
import time
import urllib.parse
import uuid

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import google.auth.jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

AWS_KEYS = {"AKIDEXAMPLE": ("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None)}
REGION = "eu-west-1"
SKEW_SECONDS = 300
# How long it takes at most until the server notices its end.
SHUTDOWN_SECONDS = 0.02
GOOGLE_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
GOOGLE_EMAIL = "gateway@proj.iam.gserviceaccount.com"
GOOGLE_AUDIENCE = "https://oauth2.googleapis.com/token"
# A person's login, as `gcloud auth application-default login` writes it, and what of it shows who asks.
GOOGLE_LOGIN = {"type": "authorized_user", "client_id": "app-1", "client_secret": "app-secret",
                "refresh_token": "1//refresh", "quota_project_id": "proj"}
LOGIN_PROOF = ("client_id", "client_secret", "refresh_token")
OPENAI_ANSWER = {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [
    {"index": 0, "message": {"role": "assistant", "content": "Hello."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}
EVENT_STREAM = "text/event-stream"
WATSONX_STREAM = pathlib.Path(__file__).parents[3] / "fixtures" / "watsonx_chat" / "streams" / "text.sse"
WATSONX_TEXT = 'Hello, wörld 🌍.\n"Quoted"'
CONVERSE_ANSWER = {"output": {"message": {"role": "assistant", "content": [{"text": "Hello."}]}},
                   "stopReason": "end_turn", "metrics": {"latencyMs": 1},
                   "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}}
GEMINI_ANSWER = {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello."}]}, "finishReason": "STOP"}],
                 "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}}


def google_key_pem():
    return GOOGLE_KEY.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption()).decode()


def service_account(token_uri):
    """A service account's key as the console gives it out."""
    return {"type": "service_account", "project_id": "proj", "private_key_id": "key-1", "private_key": google_key_pem(),
            "client_email": GOOGLE_EMAIL, "client_id": "1", "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri, "universe_domain": "googleapis.com"}


class Refused(Exception):
    """A status and what is said with it."""

    def __init__(self, status, body, headers=None):
        super().__init__(body)
        self.status, self.body, self.headers = status, body, headers or {}


class Vendors(http.server.ThreadingHTTPServer):
    """The server, and what a test may change of it."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.clock_ahead = 0
        self.lifetime = 3600
        # What a foreign identity may ask: to act as a service account, or Vertex AI itself.
        self.federated_is = "federated"
        self.refuse_credentials = False
        self.aws_keys = dict(AWS_KEYS)
        self.tokens = {}
        self.revoked = set()
        self.seen = []

    def asked(self, path):
        return [request for request in self.seen if request["path"].startswith(path)]

    def new_token(self, audience):
        """In the shape of a JWT, whose end IBM's library reads."""
        claims = json.dumps({"aud": audience, "iat": int(self.now()), "exp": int(self.now()) + self.lifetime})
        token = f"e30.{base64.urlsafe_b64encode(claims.encode()).decode().rstrip('=')}.{uuid.uuid4().hex}"
        self.tokens[token] = audience
        return token

    def now(self):
        return time.time() + self.clock_ahead


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Vendors

    def log_message(self, *_):
        pass

    def date_time_string(self, timestamp=None):
        return email.utils.formatdate(self.server.now(), usegmt=True)

    def do_GET(self):
        self.serve(b"")

    def do_POST(self):
        self.serve(self.rfile.read(int(self.headers.get("content-length", 0))))

    do_PUT = do_POST

    def serve(self, body):
        path = self.path.partition("?")[0]
        self.server.seen.append({"path": self.path, "headers": {k.lower(): v for k, v in self.headers.items()},
                                 "body": body.decode()})
        try:
            route = next((route for prefix, route in ROUTES if path.startswith(prefix)), Handler.nothing)
            status, answer, headers = 200, route(self, body), {}
        except Refused as refused:
            status, answer, headers = refused.status, refused.body, refused.headers
        data = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
        self.send_response(status)
        kinds = {b"<": "text/xml", b"{": "application/json", b"d": EVENT_STREAM, b"i": EVENT_STREAM}
        media_type = kinds.get(data[:1], "text/plain")
        for name, value in {"content-type": media_type, "content-length": len(data), **headers}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(data)

    def nothing(self, _):
        raise Refused(404, {"error": f"{self.command} {self.path} means nothing here"})

    # AWS

    def converse(self, body):
        authorization = self.headers["authorization"]
        if authorization.startswith("Bearer "):
            if authorization != "Bearer ABSKright":
                raise Refused(403, {"Message": "Authentication failed: Please make sure your API Key is valid."},
                              {"x-amzn-errortype": "AccessDeniedException"})
        else:
            self.verify_signature(body, "bedrock")
        return CONVERSE_ANSWER

    def verify_signature(self, body, service):
        """Signs the received request again, with botocore, and compares."""
        fields = dict(part.strip().split("=", 1) for part in
                      self.headers["authorization"].removeprefix("AWS4-HMAC-SHA256 ").split(","))
        key_id, day, region, signed_service, _ = fields["Credential"].split("/")
        invalid = {"x-amzn-errortype": "InvalidSignatureException"}
        if key_id not in self.server.aws_keys or (region, signed_service) != (REGION, service):
            raise Refused(403, {"message": "The security token included in the request is invalid."}, invalid)
        secret, session_token = self.server.aws_keys[key_id]
        stamp = datetime.datetime.strptime(self.headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
        said = stamp.replace(tzinfo=datetime.timezone.utc).timestamp()
        if abs(said - self.server.now()) > SKEW_SECONDS:
            raise Refused(403, {"message": "Signature expired: is now earlier than"}, invalid)
        again = botocore.awsrequest.AWSRequest(
            method=self.command, url=f"http://{self.headers['host']}{self.path}", data=body,
            headers={name: self.headers[name] for name in fields["SignedHeaders"].split(";")
                     if name not in ("host", "x-amz-security-token", "x-amz-date")})
        if "x-amz-content-sha256" in again.headers:
            assert again.headers["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
        again.context["timestamp"] = self.headers["x-amz-date"]
        signer = botocore.auth.SigV4Auth(
            botocore.credentials.Credentials(key_id, secret, session_token), service, region)
        again.headers["X-Amz-Date"] = self.headers["x-amz-date"]
        if session_token:
            assert self.headers["x-amz-security-token"] == session_token
            again.headers["X-Amz-Security-Token"] = session_token
        text = signer.string_to_sign(again, signer.canonical_request(again))
        assert signer.signed_headers(signer.headers_to_sign(again)) == fields["SignedHeaders"]
        if signer.signature(text, again) != fields["Signature"]:
            raise Refused(403, {"message": "The request signature we calculated does not match"}, invalid)

    def sts(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode()))
        assert form["Version"] == "2011-06-15" and form["RoleArn"] == "arn:aws:iam::1:role/r"
        action = form["Action"]
        if action == "AssumeRole":
            self.verify_signature(body, "sts")
            assert form["ExternalId"] == "outside"
        else:
            assert (action, form["WebIdentityToken"]) == ("AssumeRoleWithWebIdentity", "cluster-token")
        key_id = f"ASIA{uuid.uuid4().hex[:12].upper()}"
        self.server.aws_keys[key_id] = ("secret/of+" + key_id, "session-of-" + key_id)
        end = datetime.datetime.fromtimestamp(self.server.now() + self.server.lifetime, datetime.timezone.utc)
        secret, token = self.server.aws_keys[key_id]
        return (f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{action}Result><Credentials>'
                f"<AccessKeyId>{key_id}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>"
                f"<SessionToken>{token}</SessionToken><Expiration>{end:%Y-%m-%dT%H:%M:%SZ}</Expiration></Credentials>"
                f"</{action}Result></{action}Response>")

    def imds_session(self, _):
        assert self.command == "PUT" and int(self.headers["x-aws-ec2-metadata-token-ttl-seconds"]) > 0
        return "imds-session"

    def imds_roles(self, _):
        assert self.headers["x-aws-ec2-metadata-token"] == "imds-session"
        if not self.path.endswith("/machine-role"):
            return "machine-role\n"
        self.server.aws_keys["ASIAMACHINE"] = ("machine-secret", "machine-session")
        end = datetime.datetime.fromtimestamp(self.server.now() + self.server.lifetime, datetime.timezone.utc)
        return {"Code": "Success", "AccessKeyId": "ASIAMACHINE", "SecretAccessKey": "machine-secret",
                "Token": "machine-session", "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}"}

    def container_role(self, _):
        if self.headers["authorization"] != "cluster-token":
            raise Refused(400, {"code": "AccessDenied", "message": "no, not with secret-4711"})
        self.server.aws_keys["ASIACONTAINER"] = ("container-secret", "container-session")
        end = datetime.datetime.fromtimestamp(self.server.now() + self.server.lifetime, datetime.timezone.utc)
        return {"AccessKeyId": "ASIACONTAINER", "SecretAccessKey": "container-secret", "Token": "container-session",
                "Expiration": f"{end:%Y-%m-%dT%H:%M:%SZ}"}

    # OAuth

    def give(self, audience, **more):
        if self.server.refuse_credentials:
            raise Refused(400, {"error": "invalid_grant", "error_description": "no, not with secret-4711"})
        token = self.server.new_token(audience)
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.server.lifetime, **more}

    def google_token(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        if form["grant_type"] == "refresh_token":
            login = {name: value for name, value in form.items() if name not in ("grant_type", "scope")}
            if login != {name: value for name, value in GOOGLE_LOGIN.items() if name in LOGIN_PROOF}:
                raise Refused(400, {"error": "invalid_grant", "error_description": "Token has been revoked."})
            return self.give("google")
        assert set(form) == {"assertion", "grant_type"}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        public = GOOGLE_KEY.public_key().public_bytes(serialization.Encoding.PEM,
                                                      serialization.PublicFormat.SubjectPublicKeyInfo)
        try:
            claims = google.auth.jwt.decode(form["assertion"], certs=public, audience=GOOGLE_AUDIENCE,
                                            clock_skew_in_seconds=SKEW_SECONDS + abs(self.server.clock_ahead))
        except ValueError as error:
            raise Refused(400, {"error": "invalid_grant", "error_description": str(error)}) from error
        if abs(claims["iat"] - self.server.now()) > SKEW_SECONDS:
            raise Refused(400, {"error": "invalid_grant", "error_description": "Invalid JWT: Check your iat and exp"})
        assert (claims["iss"], claims["exp"] - claims["iat"]) == (GOOGLE_EMAIL, 3600)
        assert claims["scope"] == "https://www.googleapis.com/auth/cloud-platform"
        assert google.auth.jwt.decode_header(form["assertion"]) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
        return self.give("google")

    def google_sts(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        # Google's library asks for the second one where the token is for acting as a service account alone.
        assert form.pop("scope") in [f"https://www.googleapis.com/auth/{name}" for name in ("cloud-platform", "iam")]
        assert form == {
            "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange", "audience": "//iam.googleapis.com/pool",
            "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
            "subject_token": "cluster-token", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}
        return self.give(self.server.federated_is)

    def google_subject(self, _):
        """A server of the place where the program runs, which tells who it is there."""
        assert self.headers["x-tells"] == "who-runs-here"
        return {"id_token": "cluster-token"}

    def google_impersonate(self, body):
        assert self.server.tokens[self.headers["authorization"].removeprefix("Bearer ")] == "federated"
        assert json.loads(body)["scope"] == ["https://www.googleapis.com/auth/cloud-platform"]
        end = datetime.datetime.fromtimestamp(self.server.now() + self.server.lifetime, datetime.timezone.utc)
        return {"accessToken": self.server.new_token("google"), "expireTime": f"{end:%Y-%m-%dT%H:%M:%SZ}"}

    def google_metadata(self, _):
        assert self.headers["metadata-flavor"] == "Google"
        return self.give("google")

    def entra_discovery(self, tenant):
        base = f"https://login.microsoftonline.com/{tenant}"
        return {"token_endpoint": f"{base}/oauth2/v2.0/token", "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "issuer": f"{base}/v2.0"}

    def entra(self, body):
        _, _, tenant, rest = self.path.split("/", 3)
        assert tenant == "contoso.example"
        if rest.startswith("v2.0/.well-known"):
            return self.entra_discovery(tenant)
        assert rest == "oauth2/v2.0/token", self.path
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        common = {"client_id": "app-1", "grant_type": "client_credentials",
                  "scope": "https://cognitiveservices.azure.com/.default"}
        # What Microsoft's library adds says nothing about who asks.
        form = {name: value for name, value in form.items() if name != "client_info"}
        by_secret = {**common, "client_secret": "app~secret&+"}
        by_token = {**common, "client_assertion": "cluster-token",
                    "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
        if form not in (by_secret, by_token):
            raise Refused(401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret"})
        return self.give("azure")

    def azure_metadata(self, _):
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        assert self.headers["metadata"] == "true"
        assert query == {"api-version": "2018-02-01", "resource": "https://cognitiveservices.azure.com"}
        given = self.give("azure")
        return {**given, "expires_in": str(given["expires_in"])}

    def ibm(self, body):
        form = dict(urllib.parse.parse_qsl(body.decode(), strict_parsing=True))
        # One of IBM's two libraries leaves this out.
        assert form.pop("response_type", "cloud_iam") == "cloud_iam"
        if form != {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": "ibm-key"}:
            raise Refused(400, {"errorCode": "BXNIM0415E", "errorMessage": "Provided API key could not be found."})
        return self.give("ibm", expiration=int(self.server.now()) + self.server.lifetime, refresh_token="not_supported")

    # What tokens are good for

    def check_token(self, audience):
        token = (self.headers["authorization"] or "").removeprefix("Bearer ")
        if self.server.tokens.get(token) != audience or token in self.server.revoked:
            raise Refused(401, {"error": {"code": 401, "message": f"no token for {audience}"}})

    def azure_chat(self, _):
        self.check_token("azure")
        return OPENAI_ANSWER

    def watsonx_chat(self, body):
        self.check_token("ibm")
        assert urllib.parse.urlsplit(self.path).query.startswith("version=")
        asked = json.loads(body)
        assert asked["project_id"] == "project-1" and "space_id" not in asked
        if urllib.parse.urlsplit(self.path).path.endswith("/chat_stream"):
            return WATSONX_STREAM.read_text()
        return {**OPENAI_ANSWER, "model_id": asked["model_id"]}

    def vertex(self, body):
        self.check_token("google")
        path = self.path.partition("?")[0]
        assert re.search("/publishers/google/models/gemini-[^/:]+:(g|streamG)enerateContent$", path), path
        assert json.loads(body)["contents"]
        streamed = path.endswith(":streamGenerateContent")
        return f"data: {json.dumps(GEMINI_ANSWER)}\r\n\r\n" if streamed else GEMINI_ANSWER


ROUTES = [("/model/", Handler.converse), ("/sts", Handler.sts), ("/latest/api/token", Handler.imds_session),
          ("/latest/meta-data/iam/security-credentials/", Handler.imds_roles), ("/container", Handler.container_role),
          ("/google/token", Handler.google_token), ("/google/sts", Handler.google_sts),
          ("/google/subject", Handler.google_subject), ("/google/impersonate", Handler.google_impersonate),
          ("/computeMetadata/v1/instance/service-accounts/default/token", Handler.google_metadata),
          ("/entra/", Handler.entra), ("/metadata/identity/oauth2/token", Handler.azure_metadata),
          ("/ibm/identity/token", Handler.ibm), ("/azure/", Handler.azure_chat), ("/ml/v1/", Handler.watsonx_chat),
          ("/vertex/", Handler.vertex)]


@contextlib.contextmanager
def running():
    with Vendors() as server:
        threading.Thread(target=server.serve_forever, args=[SHUTDOWN_SECONDS], daemon=True).start()
        yield server
        server.shutdown()
