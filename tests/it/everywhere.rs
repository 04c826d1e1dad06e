//! `publish_everywhere`: in its own world, and live, with the real transport on real sockets and the fakes behind
//! them.

use std::{
    process::{Command, Output},
    sync::Arc,
};

use automarket::{
    connectors::{
        facebook, instagram,
        instagram::Login,
        linkedin::{self, testing::ORGANIZATION},
        x,
    },
    core::{
        Bytes, async_trait,
        http_types::{Request, Response},
    },
    http::{Body, Transport, TransportError},
    testing::{Sandbox, Server},
};

const NAMES: [&str; 4] = ["X", "LINKEDIN", "FACEBOOK", "INSTAGRAM"];

fn publish_everywhere() -> Command {
    let mut command = crate::quickstart::example("publish_everywhere");
    for name in NAMES {
        for what in ["TOKEN", "ACCOUNT", "URL"] {
            command.env_remove(format!("{name}_{what}"));
        }
    }
    command
}

async fn run(mut command: Command) -> Output {
    let output = tokio::task::spawn_blocking(move || command.output().unwrap());
    output.await.unwrap()
}

fn said(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    text
}

/// A site with one picture.
struct Site;

#[async_trait]
impl Transport for Site {
    async fn send(&self, _: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let mut jpeg = b"\xFF\xD8\xFF\xE0\0\x10JFIF".to_vec();
        jpeg.resize(300_000, 0);
        let mut reply = Response::new(Body::Full(jpeg.into()));
        let mime = "image/jpeg".parse().unwrap();
        reply.headers_mut().insert("content-type", mime);
        Ok(reply)
    }
}

/// Instagram fetches by https alone: what is at our plain address is at the other one for it.
struct Tunnel(Sandbox, String);

#[async_trait]
impl Transport for Tunnel {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        let request = request.map(|body| match std::str::from_utf8(&body) {
            Ok(text) => text.replace(&self.1, "https://pictures.example").into(),
            Err(_) => body,
        });
        self.0.send(request).await
    }
}

#[tokio::test]
async fn one_post_is_out_on_four_networks_with_its_uploads_shown() {
    let text = said(&run(publish_everywhere()).await);
    for network in ["x", "linkedin", "facebook", "instagram"] {
        assert!(text.contains(&format!("\n{network} published ")), "{text}");
    }
    assert!(text.contains("the post is Published"), "{text}");
    // X and LinkedIn take bytes, Facebook a form; Instagram fetches.
    for host in ["api.x.com", "www.linkedin.com", "graph.facebook.com"] {
        let lines = text.lines().filter(|line| line.contains(host));
        let shares: Vec<&str> = lines.filter(|line| line.contains(" of ")).collect();
        assert!(shares.len() > 1, "how far the upload to {host} is: {text}");
    }
}

#[tokio::test]
async fn live_the_tokens_of_the_environment_are_used_over_real_sockets() {
    let sandbox = Sandbox::new()
        .with(Arc::new(x::testing::FakeX::new()))
        .with(Arc::new(linkedin::testing::FakeLinkedIn::new()))
        .with(Arc::new(facebook::testing::FakeFacebook::new()))
        .with(Arc::new(instagram::testing::FakeInstagram::new(
            Login::Instagram,
        )));
    let site = Server::start(Arc::new(Site), "pictures.example")
        .await
        .unwrap();
    let mut command = publish_everywhere();
    let image = format!("{}/grey.jpg", site.base_url());
    command.args([
        "--live",
        "--allow-network",
        "127.0.0.0/8",
        "--image",
        &image,
    ]);
    let mut servers = Vec::new();
    for (name, host, account, token) in [
        ("X", x::testing::HOST, x::testing::USER, x::testing::TOKEN),
        (
            "LINKEDIN",
            linkedin::testing::HOST,
            ORGANIZATION,
            linkedin::testing::TOKEN,
        ),
        (
            "FACEBOOK",
            facebook::testing::HOSTS[0],
            facebook::testing::PAGE,
            facebook::testing::TOKEN,
        ),
        (
            "INSTAGRAM",
            instagram::testing::HOST,
            instagram::testing::ACCOUNT,
            instagram::testing::TOKEN,
        ),
    ] {
        let tunnel = Tunnel(sandbox.clone(), site.base_url());
        let server = Server::start(Arc::new(tunnel), host).await.unwrap();
        command.env(format!("{name}_URL"), server.base_url());
        command.env(format!("{name}_ACCOUNT"), account);
        command.env(format!("{name}_TOKEN"), token);
        servers.push(server);
    }
    let text = said(&run(command).await);
    assert!(text.contains("the post is Published"), "{text}");
    for fake in sandbox.fakes() {
        assert_eq!(fake.effects().len(), 1, "{}: {text}", fake.platform());
    }
    assert!(
        text.contains("127.0.0.1: 300 of 300 KB") || text.contains("127.0.0.1: 301 of 301 KB"),
        "{text}"
    );
}

#[tokio::test]
async fn live_without_tokens_says_what_is_missing() {
    let mut command = publish_everywhere();
    command.arg("--live");
    let output = run(command).await;
    assert!(!output.status.success());
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("<NAME>_TOKEN"), "{error}");
}
