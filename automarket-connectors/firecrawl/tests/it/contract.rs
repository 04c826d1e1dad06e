//! Every request against the official description, where `AUTOMARKET_SPECS` names the folder that holds it.

use std::sync::Arc;

use automarket_connector_firecrawl::{
    Firecrawl,
    testing::{FakeFirecrawl, FakePage, KEY},
};
use automarket_core::{
    Context, Credential, PageSource as _,
    testing::{Description, Recorder, Sandbox},
};
use serde_json::json;

#[tokio::test]
async fn requests_and_the_fakes_answers_follow_the_description() {
    let Some(description) = Description::load("firecrawl", "/v2") else {
        return;
    };
    let page = FakePage {
        markdown: "# Hi".into(),
        metadata: json!({"title": "Hi", "language": "en"}),
        branding: Some(json!({"colors": {"primary": "#ff6b35"}})),
        status: 0,
    };
    let fake = FakeFirecrawl::new().with_page("https://acme.example/", page);
    let wire = Recorder::new(Sandbox::new().with(Arc::new(fake)));
    let cx = Context::new(wire.clone()).with_credential(Credential::token(KEY));
    Firecrawl::new()
        .read(&cx, "https://acme.example/")
        .await
        .unwrap();
    Firecrawl::new().credits(&cx).await.unwrap();

    let exchanges = wire.exchanges();
    assert_eq!(exchanges.len(), 2);
    for (request, reply) in &exchanges {
        assert_eq!(description.request_faults(request), [""; 0], "{request:?}");
        assert_eq!(
            description.reply_faults(request, reply),
            [""; 0],
            "{request:?}"
        );
    }
}
