//! `providers[].credentials`: as written.

use crate::config::Spanned;
use crate::section::section;
use crate::values::SecretText;

section! {
    /// A credential with more in it than a key, under the names of the vendor's own files. What means nothing to the
    /// provider's type is a mistake. docs/providers-authentication.md tells each way.
    Credentials {
        /// `environment`: what the environment's variables and files hold, also where `endpoint` is set. `metadata`: the
        /// role, account or identity of the machine this runs on.
        source: String;
        /// AWS: the access key's id.
        access_key_id or "accessKeyId": String;
        /// AWS: the access key.
        secret_access_key or "secretAccessKey": SecretText;
        /// AWS: what belongs to temporary keys.
        session_token or "sessionToken": SecretText;
        /// AWS: the role that is assumed.
        role_arn or "roleArn": String;
        /// AWS: what the role's owner wants to hear from whoever assumes it.
        external_id or "externalId": SecretText;
        /// AWS: the name of the assumed role's sessions; `ai-gateway` if left out.
        role_session_name or "roleSessionName": String;
        /// AWS: file with the token that shows who assumes the role.
        web_identity_token_file or "webIdentityTokenFile": String;
        /// AWS and Google: the region (`location`).
        region or "location": String;
        /// Google: a whole JSON file of credentials, such as `${file:/run/secrets/key.json}`.
        service_account or "serviceAccount": SecretText;
        /// Google: the private key and the address of a service account.
        google_credentials or "googleCredentials": GoogleCredentials;
        /// Google: the service account's private key, PEM.
        private_key or "privateKey": SecretText;
        /// Google: the private key's id.
        private_key_id or "privateKeyId": String;
        /// Google: the service account's address.
        client_email or "clientEmail": String;
        /// Google and IBM: the project (`project`).
        project_id or "project": String;
        /// Google: the project that pays, where it is another.
        quota_project_id or "quotaProjectId": String;
        /// Google: addresses outside Google's that pasted credentials may name, each written out.
        trusted_urls or "trustedUrls": Vec<Spanned<String>>;
        /// Azure: the tenant's id or domain.
        tenant_id or "tenantId": String;
        /// Azure: the application's id, or that of a managed identity.
        client_id or "clientId": String;
        /// Azure: the application's secret.
        client_secret or "clientSecret": SecretText;
        /// Azure: file with the token that shows that this is the application.
        federated_token_file or "federatedTokenFile": String;
        /// Azure: what tokens are for; `https://cognitiveservices.azure.com/.default` if left out.
        scope: String;
        /// Azure: where tenants log in; `https://login.microsoftonline.com` if left out.
        authority_url or "authorityUrl": String;
        /// Azure: the resource's name.
        resource_name or "resourceName": String;
        /// Where tokens are asked for, in place of the vendor's own address (AWS: that of STS).
        token_url or "tokenUrl": String;
        /// Where the machine's role, account or identity is asked for, in place of the vendor's own address.
        metadata_url or "metadataUrl": String;
    }
}

section! {
    /// A service account as some gateways write it.
    GoogleCredentials {
        /// The private key, PEM.
        private_key or "privateKey": SecretText, required;
        /// The account's address.
        client_email or "clientEmail": String, required;
    }
}
