//! The login: requests as they leave, and recorded replies.

use automarket_connector_slack::{oauth, oauth_user};
use automarket_core::{
    Bytes, Context, Error, Secret,
    chrono::DateTime,
    http::Call,
    http_types::Request,
    oauth::{
        App, Cause, Provider, TokenSet, authorize_url, exchange_call, missing_scopes,
        read_token_reply, refresh_call, requested_scopes, revoke_call, rule,
    },
    testing::Script,
};
use serde_json::{Value, json};

const REDIRECT: &str = "https://acme.dev/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const TOKEN_URL: &str = "https://slack.com/api/oauth.v2.access";
/// `id:secret`
const BASIC: &str = "Basic aWQ6c2VjcmV0";

fn app() -> App {
    App::new("id", "secret")
}

fn way_to(provider: &Provider) -> String {
    let (state, verifier) = (Secret::new("the-state"), Secret::new(VERIFIER));
    let url = authorize_url(provider, &app(), REDIRECT, None, &state, &verifier);
    url.unwrap().to_string()
}

fn exchange(provider: &Provider) -> Call {
    let (code, verifier) = (Secret::new("the-code"), Secret::new(VERIFIER));
    let now = DateTime::UNIX_EPOCH;
    exchange_call(
        provider,
        &app(),
        &Value::Null,
        &code,
        REDIRECT,
        &verifier,
        now,
    )
    .unwrap()
}

/// What the reply to an exchange is read as, and the request.
async fn read(provider: &Provider, reply: Value) -> (Result<TokenSet, Error>, Request<Bytes>) {
    let wire = Script::new()
        .expect("POST", TOKEN_URL)
        .reply(200, reply.to_string());
    let cx: Context = wire.context();
    let reply = cx.call(exchange(provider)).await.unwrap();
    let tokens = read_token_reply(provider, &reply, DateTime::UNIX_EPOCH);
    (tokens, wire.requests().remove(0))
}

fn installed() -> Value {
    json!({
        "ok": true, "app_id": "A0", "access_token": "xoxb-17653672481-19874698323", "token_type": "bot",
        "scope": oauth().scopes.join(","), "bot_user_id": "U0KRQLJ9H",
        "team": {"name": "Acme", "id": "T9TK3CUKW"}, "enterprise": null, "is_enterprise_install": false,
        "authed_user": {"id": "U1234"},
        "incoming_webhook": {"channel": "#general", "url": "https://hooks.slack.com/services/T0/B0/hidden"},
    })
}

#[tokio::test]
async fn a_bot_is_installed_and_its_token_has_no_end() {
    let provider = oauth();
    assert_eq!(
        way_to(&provider),
        "https://slack.com/oauth/v2/authorize?response_type=code&client_id=id\
         &redirect_uri=https%3A%2F%2Facme.dev%2Fcallback&scope=chat%3Awrite%2Cchat%3Awrite.public%2C\
         channels%3Aread%2Cgroups%3Aread%2Cchannels%3Ahistory%2Cgroups%3Ahistory%2Cfiles%3Awrite%2Cfiles%3Aread&state=the-state"
    );
    let (tokens, request) = read(&provider, installed()).await;
    assert_eq!(request.headers()["authorization"], BASIC);
    assert_eq!(
        request.body(),
        "grant_type=authorization_code&code=the-code&redirect_uri=https%3A%2F%2Facme.dev%2Fcallback"
    );
    let tokens = tokens.unwrap();
    assert_eq!(tokens.access_token.expose(), "xoxb-17653672481-19874698323");
    assert_eq!(
        (tokens.expires_at, tokens.refresh_token.is_some()),
        (None, false)
    );
    let asked = requested_scopes(&provider, &app(), None).unwrap();
    assert!(missing_scopes(&provider, &asked, tokens.scopes.as_deref()).is_empty());
    // The webhook's address is a secret: it is not kept beside the tokens.
    let kept = json!({"team": {"name": "Acme", "id": "T9TK3CUKW"}, "bot_user_id": "U0KRQLJ9H"});
    assert_eq!(tokens.extra, kept);
    let now = DateTime::UNIX_EPOCH;
    assert!(
        refresh_call(&provider, &app(), &tokens, now)
            .unwrap()
            .is_none()
    );
    let revoke = revoke_call(&provider, &app(), &tokens, now)
        .unwrap()
        .unwrap();
    assert_eq!(revoke.request().uri(), "https://slack.com/api/auth.revoke");
    let bearer = "Bearer xoxb-17653672481-19874698323";
    assert_eq!(revoke.request().headers()["authorization"], bearer);
    assert!(revoke.request().body().is_empty());
}

#[tokio::test]
async fn with_token_rotation_each_renewal_brings_a_new_pair() {
    let provider = oauth();
    let mut reply = installed();
    reply["access_token"] = json!("xoxe.xoxb-1-first");
    reply["refresh_token"] = json!("xoxe-1-first");
    reply["expires_in"] = json!(43_200);
    let (tokens, _) = read(&provider, reply).await;
    let tokens = tokens.unwrap();
    assert_eq!(tokens.expires_at.unwrap().timestamp(), 43_200);
    let call = refresh_call(&provider, &app(), &tokens, DateTime::UNIX_EPOCH);
    let call = call.unwrap().unwrap();
    assert_eq!(call.request().uri(), TOKEN_URL);
    assert_eq!(call.request().headers()["authorization"], BASIC);
    let body = "grant_type=refresh_token&refresh_token=xoxe-1-first";
    assert_eq!(call.request().body(), body);
    // Of two tokens Slack revokes the one that is named: the one that would live on.
    let revoke = revoke_call(&provider, &app(), &tokens, DateTime::UNIX_EPOCH);
    let revoke = revoke.unwrap().unwrap();
    let bearer = "Bearer xoxe-1-first";
    assert_eq!(revoke.request().headers()["authorization"], bearer);
}

#[tokio::test]
async fn a_persons_token_stands_beside_the_bots_and_alone_when_it_is_renewed() {
    let provider = oauth_user();
    let way = way_to(&provider);
    assert!(
        way.contains("&user_scope=chat%3Awrite%2C") && !way.contains("&scope="),
        "{way}"
    );
    let user = json!({
        "id": "U1234", "scope": provider.scopes.join(","), "access_token": "xoxe.xoxp-1234",
        "token_type": "user", "refresh_token": "xoxe-1-p", "expires_in": 43_200,
    });
    let team = json!({"name": "Acme", "id": "T9TK3CUKW"});
    let (tokens, _) = read(
        &provider,
        json!({"ok": true, "team": team, "authed_user": user}),
    )
    .await;
    let tokens = tokens.unwrap();
    assert_eq!(tokens.access_token.expose(), "xoxe.xoxp-1234");
    assert_eq!(tokens.token_type.as_deref(), Some("user"));
    assert_eq!(tokens.extra, json!({"team": team}));
    let renewed = json!({
        "ok": true, "access_token": "xoxe.xoxp-5678", "refresh_token": "xoxe-1-q", "expires_in": 43_200,
        "token_type": "user", "team": team, "authed_user": {"id": "U1234"},
    });
    let (tokens, _) = read(&provider, renewed).await;
    assert_eq!(tokens.unwrap().access_token.expose(), "xoxe.xoxp-5678");
}

#[tokio::test]
async fn refusals_come_with_status_200() {
    for (code, rule, cause) in [
        ("invalid_code", rule::INVALID_GRANT, Cause::User),
        ("code_already_used", rule::INVALID_GRANT, Cause::User),
        ("invalid_refresh_token", rule::INVALID_GRANT, Cause::User),
        ("bad_client_secret", rule::CLIENT, Cause::Configuration),
        ("invalid_client_id", rule::CLIENT, Cause::Configuration),
        ("bad_redirect_uri", rule::REDIRECT_URI, Cause::Configuration),
        ("internal_error", rule::FAILING, Cause::Platform),
        ("ratelimited", rule::WAIT, Cause::Platform),
        // Nothing that is not surely about the grant says that it is dead.
        ("invalid_auth", rule::REFUSED, Cause::Platform),
    ] {
        let (refused, _) = read(&oauth(), json!({"ok": false, "error": code})).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.rule(), Some(rule), "{code}");
        assert_eq!(Cause::of(&refused), cause, "{code}");
        assert_eq!(refused.platform_code(), Some(code));
    }
}
