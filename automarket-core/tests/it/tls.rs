//! TLS as the real transport speaks it, with a certificate authority of our own. Where the roots come from
//! is the system's affair; on Linux a variable names them, so these tests run themselves again with it set.

use std::sync::Arc;

use automarket_core::{
    Context, ErrorKind, Retry,
    http::{Call, Guard, ReqwestTransport, Resolver},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::alone;

const CERTIFICATE: &[u8] = include_bytes!("../fixtures/tls/server.pem");
const KEY: &[u8] = include_bytes!("../fixtures/tls/server.key.pem");

struct Here;

#[automarket_core::async_trait]
impl Resolver for Here {
    async fn resolve(&self, _: &str) -> std::io::Result<Vec<std::net::IpAddr>> {
        Ok(vec!["127.0.0.1".parse().unwrap()])
    }
}

/// Answers every connection with one page, as `tls.example.com`.
async fn serve() -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
    let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut socket = acceptor.accept(socket).await?;
                let _ = socket.read(&mut [0; 4096]).await?;
                let page = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe";
                socket.write_all(page).await?;
                socket.shutdown().await
            });
        }
    });
    port
}

async fn post(host: &str) -> automarket_core::Result<automarket_core::Bytes> {
    let guard = Guard::strict().allow("127.0.0.0/8".parse().unwrap());
    let transport = ReqwestTransport::builder()
        .guard(guard)
        .resolver(Here)
        .build()
        .unwrap();
    let url = format!("https://{host}:{}/", serve().await);
    let call = Call::post("posts.create", &url).unwrap();
    Ok(Context::new(transport).call(call).await?.body)
}

#[tokio::test]
async fn a_certificate_nobody_vouches_for_is_refused_before_anything_is_sent() {
    let error = post("tls.example.com").await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Network, Retry::After(None))
    );
    assert!(error.report().contains("certificate"), "{}", error.report());
}

#[tokio::test]
#[ignore = "run alone by the next test"]
async fn with_our_roots() {
    assert_eq!(post("tls.example.com").await.unwrap(), "safe");
    let error = post("other.example.com").await.unwrap_err();
    assert_eq!(error.retry(), Retry::After(None));
    assert!(error.report().contains("certificate"), "{}", error.report());
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_certificate_of_the_systems_roots_is_good_for_its_name_only() {
    let roots = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/ca.pem");
    let variables = [("SSL_CERT_FILE", roots), ("SSL_CERT_DIR", "")];
    alone::run("tls::with_our_roots", &variables).await;
}
