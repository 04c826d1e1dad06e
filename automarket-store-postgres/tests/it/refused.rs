//! What is said of a connection that the driver gives up by itself.

use automarket_core::{ErrorKind, Retry};
use automarket_store_postgres::PostgresStore;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

/// The address of a server that answers everything so.
async fn server(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut bytes = [0; 4096];
        while let Ok((mut client, _)) = listener.accept().await {
            while let Ok(1..) = client.read(&mut bytes).await {
                let _ = client.write_all(answer).await;
            }
        }
    });
    format!("postgres://app@127.0.0.1:{port}/app")
}

#[tokio::test]
async fn what_the_url_lacks_is_a_matter_of_configuration() {
    let asks_for_a_password = b"R\x00\x00\x00\x08\x00\x00\x00\x03";
    let lets_in = b"R\x00\x00\x00\x08\x00\x00\x00\x00";
    let of_a_pooler =
        b"E\x00\x00\x00\x3bSFATAL\0C08P01\0Munsupported startup parameter: options\0\0";
    for (answer, options, rule, remedy) in [
        (&asks_for_a_password[..], "", "postgres.login", ""),
        (b"N", "?sslmode=require", "postgres.tls", "sslmode=disable"),
        (
            lets_in,
            "?channel_binding=require",
            "postgres.url",
            "channel_binding=require",
        ),
        (
            of_a_pooler,
            "?options=-c%20work_mem=64MB",
            "postgres.url",
            "ALTER ROLE",
        ),
    ] {
        let url = server(answer).await + options;
        let refused = PostgresStore::connect(url).await.unwrap_err();
        assert_eq!(
            (refused.kind(), refused.retry(), refused.rule()),
            (ErrorKind::Config, Retry::Never, Some(rule)),
            "{}",
            refused.report()
        );
        let said = refused.remedy().unwrap_or_default();
        assert!(said.contains(remedy), "{said}");
    }
}
