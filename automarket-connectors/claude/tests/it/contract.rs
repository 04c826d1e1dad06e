//! Every request against the official description, where `AUTOMARKET_SPECS` names the folder that holds it.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use automarket_connector_claude::{
    Claude, ClaudeConfig,
    testing::{FakeClaude, Mood},
};
use automarket_core::{
    Bytes, Context, Credential,
    ai::{Generator as _, LanguageModel as _, ModelRequest},
    async_trait,
    chrono::Utc,
    http::{Body, Transport, TransportError},
    http_types::{Request, Response},
    testing::{
        Fake as _, Sandbox,
        conformance::generator::{brief, page, question},
    },
};
use serde_json::{Value, json};

fn description() -> Option<Value> {
    let Some(folder) = std::env::var_os("AUTOMARKET_SPECS") else {
        println!("skipped: AUTOMARKET_SPECS names no folder with the official descriptions");
        return None;
    };
    let path = PathBuf::from(folder).join("claude.json");
    let text = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    Some(serde_json::from_slice(&text).unwrap())
}

/// Why a value does not follow a schema; empty when it does. The part of JSON Schema that the description uses;
/// an object of a named schema may hold no property that the schema does not name.
fn faults(root: &Value, schema: &Value, value: &Value, at: &str) -> Vec<String> {
    if let Some(target) = schema["$ref"].as_str() {
        let pointer = target.trim_start_matches('#');
        return faults(root, root.pointer(pointer).expect(pointer), value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let tries: Vec<_> = any.iter().map(|one| faults(root, one, value, at)).collect();
        return if tries.iter().any(Vec::is_empty) {
            Vec::new()
        } else {
            tries.concat()
        };
    }
    let mut found = Vec::new();
    if let Some(allowed) = schema["enum"].as_array()
        && !allowed.contains(value)
    {
        found.push(format!("{at}: {value} is none of {allowed:?}"));
    }
    let is = |kind: &Value| match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    };
    let kinds = &schema["type"];
    if !kinds
        .as_array()
        .map_or_else(|| is(kinds), |kinds| kinds.iter().any(is))
    {
        found.push(format!("{at}: not {kinds}"));
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        let name = required.as_str().unwrap();
        if value.is_object() && value.get(name).is_none() {
            found.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        match (
            schema.pointer(&format!("/properties/{name}")),
            schema.get("additionalProperties"),
        ) {
            (Some(property), _) => {
                found.extend(faults(root, property, inner, &format!("{at}.{name}")))
            }
            (None, Some(more)) => found.extend(faults(root, more, inner, &format!("{at}.{name}"))),
            (None, None) if schema["properties"].is_object() => {
                found.push(format!("{at}: {name} is unknown"))
            }
            (None, None) => {}
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        if let Some(items) = schema.get("items") {
            found.extend(faults(root, items, item, &format!("{at}[{index}]")));
        }
    }
    found
}

fn check_request(root: &Value, request: &Request<Bytes>) {
    let path = request.uri().path().replace('/', "~1");
    let method = request.method().as_str().to_lowercase();
    let operation = root
        .pointer(&format!("/paths/{path}/{method}"))
        .expect("a described operation");
    for parameter in operation["parameters"].as_array().unwrap() {
        let name = parameter["name"].as_str().unwrap();
        if parameter["in"] == "header" && parameter["required"] == json!(true) {
            let value = request.headers().get(name).expect(name).to_str().unwrap();
            assert_eq!(
                faults(root, &parameter["schema"], &json!(value), name),
                [""; 0]
            );
        }
    }
    let known = |name: &str| {
        operation["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .any(|p| p["name"] == name && p["in"] == "query")
    };
    let query = request.uri().query().unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        assert!(known(pair.split('=').next().unwrap()), "{pair}");
    }
    if let Some(schema) = operation.pointer("/requestBody/content/application~1json/schema") {
        let body: Value = serde_json::from_slice(request.body()).unwrap();
        assert_eq!(faults(root, schema, &body, "body"), [""; 0], "{body:#}");
    }
}

/// Sends everything the connector can send; what comes back is the fake's, which is checked too.
#[tokio::test]
async fn requests_and_the_fakes_answers_follow_the_description() {
    let Some(root) = description() else { return };
    let fake = FakeClaude::new();
    fake.next(Mood::Invent);
    fake.next(Mood::Prose);
    let fake = Arc::new(fake);

    let wire = Arc::new(Recorder(
        Sandbox::new().with(fake.clone()),
        Mutex::default(),
    ));
    let cx = Context::shared(wire.clone()).with_credential(Credential::token(FakeClaude::KEY));
    let claude = Claude::default();
    claude.identify(&cx).await.unwrap();
    claude.generate(&cx, &brief(page())).await.unwrap();
    drop(claude.stream(&cx, &question()).await.unwrap());
    let bare = Claude::new(ClaudeConfig::default().effort(None));
    bare.complete(
        &cx,
        &ModelRequest {
            turns: vec!["hi".into()],
            ..Default::default()
        },
    )
    .await
    .unwrap();

    let requests = wire.1.lock().unwrap();
    assert_eq!(
        requests.len(),
        6,
        "models, three turns, a stream, a bare question"
    );
    for request in requests.iter() {
        check_request(&root, request);
        let reply = fake.handle(request, Utc::now());
        let path = request.uri().path().replace('/', "~1");
        let method = request.method().as_str().to_lowercase();
        let schema = root
            .pointer(&format!(
                "/paths/{path}/{method}/responses/200/content/application~1json/schema"
            ))
            .unwrap();
        if let Ok(body) = serde_json::from_slice::<Value>(reply.body()) {
            assert_eq!(faults(&root, schema, &body, "answer"), [""; 0]);
        }
    }
    // The check itself can fail.
    let schema = json!({ "$ref": "#/components/schemas/MessageCreateParams" });
    let wrong = json!({ "model": "m", "max_tokens": "many", "messages": [], "unheard_of": 1 });
    assert!(!faults(&root, &schema, &wrong, "body").is_empty());
}

struct Recorder(Sandbox, Mutex<Vec<Request<Bytes>>>);

#[async_trait]
impl Transport for Recorder {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Body>, TransportError> {
        self.1.lock().unwrap().push(request.clone());
        self.0.send(request).await
    }
}
