//! Encryption as libpq's sslmode means it: `prefer` and `require` encrypt, `verify-ca` and `verify-full` also check the
//! server's certificate against sslrootcert or the system's authorities.

use crate::failure::{Failure, Result};
use postgres::tls::MakeTlsConnect;
use postgres::Socket;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// Encrypts a connection. A unix socket has no host name to check and is not encrypted, but is asked about all the same.
#[derive(Clone)]
pub struct Connector(MakeRustlsConnect);

impl MakeTlsConnect<Socket> for Connector {
    type Stream = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Stream;
    type TlsConnect = <MakeRustlsConnect as MakeTlsConnect<Socket>>::TlsConnect;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Socket>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> std::result::Result<Self::TlsConnect, Self::Error> {
        let host = if host.is_empty() { "localhost" } else { host };
        MakeTlsConnect::<Socket>::make_tls_connect(&mut self.0, host)
    }
}

/// Takes the two parameters the Postgres client does not know out of the URL, and makes the connector they ask for.
pub fn read(url: &str) -> Result<(String, Connector)> {
    let (url, mode) = take(url, "sslmode");
    let (url, roots) = take(&url, "sslrootcert");
    let verify = matches!(mode.as_deref(), Some("verify-ca" | "verify-full"));
    let url = match mode.as_deref() {
        None => url,
        Some("allow") => put(&url, "sslmode", "prefer"),
        Some("verify-ca" | "verify-full") => put(&url, "sslmode", "require"),
        Some(mode) => put(&url, "sslmode", mode),
    };
    Ok((url, connector(verify, roots.as_deref())?))
}

fn connector(verify: bool, roots: Option<&str>) -> Result<Connector> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let failed =
        |error: String| Failure::connection(format!("TLS: {error}"), "Check sslmode and sslrootcert in the URL.");
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(error.to_string()))?;
    let config = if verify {
        config.with_root_certificates(authorities(roots).map_err(failed)?).with_no_client_auth()
    } else {
        config.dangerous().with_custom_certificate_verifier(Arc::new(Any(provider))).with_no_client_auth()
    };
    Ok(Connector(MakeRustlsConnect::new(config)))
}

fn authorities(file: Option<&str>) -> std::result::Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match file {
        Some(path) => {
            let certificates = CertificateDer::pem_file_iter(path).map_err(|error| format!("{path}: {error}"))?;
            for certificate in certificates {
                store
                    .add(certificate.map_err(|error| format!("{path}: {error}"))?)
                    .map_err(|error| error.to_string())?;
            }
        }
        None => drop(store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
    }
    Ok(store)
}

/// Encrypts without asking who is there, as libpq does below verify-ca.
#[derive(Debug)]
struct Any(Arc<CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A parameter of a URL (`?name=value&`) or of a connection string (`name=value `), taken out.
fn take(url: &str, name: &str) -> (String, Option<String>) {
    let (head, parameters, between) = split(url);
    let (mut kept, mut value) = (Vec::new(), None);
    for parameter in parameters.split(between).filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some((key, found)) if key.trim() == name => value = Some(found.trim_matches('\'').to_string()),
            _ => kept.push(parameter),
        }
    }
    (join(head, &kept.join(between)), value)
}

fn put(url: &str, name: &str, value: &str) -> String {
    let (head, parameters, between) = split(url);
    let gap = if parameters.is_empty() { "" } else { between };
    join(head, &format!("{parameters}{gap}{name}={value}"))
}

fn split(url: &str) -> (&str, &str, &str) {
    match url.split_once('?') {
        _ if !url.contains("://") => ("", url, " "),
        Some((head, parameters)) => (head, parameters, "&"),
        None => (url, "", "&"),
    }
}

fn join(head: &str, parameters: &str) -> String {
    let mark = if head.is_empty() || parameters.is_empty() { "" } else { "?" };
    format!("{head}{mark}{parameters}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ssl_parameters_are_read_in_both_forms_and_the_rest_stays() {
        let (url, value) = take("postgres://h/d?sslmode=verify-full&application_name=a", "sslmode");
        assert_eq!((url.as_str(), value.as_deref()), ("postgres://h/d?application_name=a", Some("verify-full")));
        assert_eq!(put(&url, "sslmode", "require"), "postgres://h/d?application_name=a&sslmode=require");
        let (url, value) = take("host=h sslrootcert='/a.pem' dbname=d", "sslrootcert");
        assert_eq!((url.as_str(), value.as_deref()), ("host=h dbname=d", Some("/a.pem")));
        assert_eq!(take("postgres://h/d", "sslmode"), ("postgres://h/d".into(), None));
    }
}
