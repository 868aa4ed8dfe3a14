//! Certificates for the phases over TLS.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// The file with the certificate for 127.0.0.1.
pub(crate) const CERTIFICATE: &str = "certificate.pem";
/// The file with its key.
pub(crate) const KEY: &str = "key.pem";

/// Makes an authority and a certificate for 127.0.0.1 signed by it; returns the authority's file.
pub(crate) fn make(folder: &Path) -> Result<PathBuf> {
    let mut authority = CertificateParams::new(Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate()?;
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let names = ["127.0.0.1", "::1", "localhost"].map(str::to_owned);
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    let file = folder.join("authority.pem");
    fs::write(&file, authority_certificate.pem())?;
    fs::write(folder.join(CERTIFICATE), certificate.pem())?;
    fs::write(folder.join(KEY), key.serialize_pem())?;
    Ok(file)
}
