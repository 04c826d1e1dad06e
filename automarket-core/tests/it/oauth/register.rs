//! Apps that are registered by call.

use automarket_core::{
    Platform,
    oauth::{App, ClientAuth, Provider, Registration, register_call},
};
use serde_json::{Value, json};

/// As RFC 7591 has it, and as the app will prove who it is.
#[test]
fn a_registration_says_how_the_app_will_prove_who_it_is() {
    for (client, method) in [
        (ClientAuth::Body, "client_secret_post"),
        (ClientAuth::Basic, "client_secret_basic"),
        (ClientAuth::PrivateKeyJwt, "private_key_jwt"),
    ] {
        let provider = Provider {
            client,
            scopes: &["a", "b"],
            registration: Some(Registration {
                url: "https://as.example/register",
                json: true,
                scope_field: "scope",
            }),
            ..Provider::new(
                Platform::MASTODON,
                "https://as.example",
                "https://as.example",
            )
        };
        let template = App::public("");
        let call = register_call(&provider, &template, "Acme", "https://acme.dev/callback");
        let body: Value = serde_json::from_slice(call.unwrap().request().body()).unwrap();
        assert_eq!(
            body,
            json!({
                "client_name": "Acme",
                "redirect_uris": ["https://acme.dev/callback"],
                "grant_types": ["authorization_code", "refresh_token"],
                "response_types": ["code"],
                "scope": "a b",
                "token_endpoint_auth_method": method,
            })
        );
    }
}
