//! What answers are encoded in.

use super::*;

#[tokio::test]
async fn a_compressed_answer_is_read() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    io::Write::write_all(&mut encoder, "schön".as_bytes()).unwrap();
    let body = Bytes::from(encoder.finish().unwrap());
    let (server, peer) = serve(move |_| {
        reply(
            200,
            &[("content-encoding", "gzip")],
            Body::Full(body.clone()),
        )
    })
    .await;
    let reply = context().call(get(server.base_url())).await.unwrap();
    assert_eq!(reply.body, "schön");
    let seen = peer.seen.lock().unwrap();
    let accepted = seen[0].headers()["accept-encoding"].to_str().unwrap();
    assert!(
        accepted.contains("gzip") && !accepted.contains("br"),
        "{accepted}"
    );
}

#[tokio::test]
async fn what_cannot_be_decoded_is_an_unexpected_reply() {
    for coding in ["br", "zstd", "gzip, br", "rot13", "gzip"] {
        let (server, _) = serve(move |request| {
            let status = if request.method() == "GET" { 200 } else { 429 };
            reply(
                status,
                &[("content-encoding", coding)],
                Body::Full("garbage".into()),
            )
        })
        .await;
        let error = context().call(get(server.base_url())).await.unwrap_err();
        let got = (error.kind(), error.retry());
        assert_eq!(got, (ErrorKind::UnexpectedReply, Retry::Never), "{coding}");
        // The status does not need the body.
        let reply = context().call(post(server.base_url())).await.unwrap();
        assert_eq!(
            (reply.status.as_u16(), reply.body.len()),
            (429, 0),
            "{coding}"
        );
    }
}

/// Stores of objects say how a file was uploaded where its coding stands.
#[tokio::test]
async fn a_coding_that_changes_nothing_is_no_coding() {
    for codings in [
        &[""][..],
        &["Identity"],
        &["aws-chunked"],
        &["", "AWS-chunked, identity,"],
    ] {
        let (server, _) = serve(move |_| coded(codings)).await;
        let reply = context().call(get(server.base_url())).await;
        let reply = reply.unwrap_or_else(|error| panic!("{codings:?}: {error:?}"));
        assert_eq!(reply.body, "plain", "{codings:?}");
    }
    for codings in [&["", "gzip"][..], &["aws-chunked, br"], &["identity", "br"]] {
        let (server, _) = serve(move |_| coded(codings)).await;
        let error = context().call(get(server.base_url())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedReply, "{codings:?}");
    }
}

fn coded(codings: &[&str]) -> Answer {
    let lines: Vec<_> = codings
        .iter()
        .map(|one| ("content-encoding", *one))
        .collect();
    reply(200, &lines, Body::Full("plain".into()))
}
