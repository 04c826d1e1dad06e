use automarket_core::oauth::{App, Cause, Place, Provider, read_callback, rule, state_of};
use automarket_core::{ErrorKind, Platform};
use proptest::prelude::*;
use url::form_urlencoded;

const STATE: &str = "a-state-of-128-bits";

fn rule_of(query: &str, issuer: Option<&str>) -> String {
    match read_callback(query, STATE, issuer) {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.rule().unwrap_or_default().to_owned(),
    }
}

#[test]
fn what_the_user_did_is_told_from_what_is_set_up_wrongly() {
    for (query, wanted) in [
        ("code=c&state=STATE", "ok"),
        ("?code=c&state=STATE", "ok"),
        ("error=access_denied&state=STATE", rule::DENIED),
        ("error=user_cancelled_login&state=STATE", rule::DENIED),
        ("error=x&error_reason=user_denied&state=STATE", rule::DENIED),
        ("error=invalid_scope&state=STATE", rule::SCOPE),
        ("error=unauthorized_client&state=STATE", rule::CLIENT),
        (
            "error=redirect_uri_mismatch&state=STATE",
            rule::REDIRECT_URI,
        ),
        ("error=temporarily_unavailable&state=STATE", rule::FAILING),
        ("error=invalid_request&code=c&state=STATE", rule::REQUEST),
        ("error=anything&state=STATE", rule::REQUEST),
        ("state=STATE", rule::CALLBACK),
        ("code=&state=STATE", rule::CALLBACK),
        ("code=c&code=d&state=STATE", rule::CALLBACK),
        ("code=c&state=STATE&state=STATE", rule::CALLBACK),
        ("code=c%00&state=STATE", rule::CALLBACK),
        ("code=%C3%A9&state=STATE", rule::CALLBACK),
        ("code=c&state=other", rule::STATE),
        ("code=c", rule::STATE),
        ("", rule::STATE),
        ("error=access_denied&state=other", rule::STATE),
        ("code=c&state=STATE%20", rule::STATE),
    ] {
        let query = query.replace("STATE", STATE);
        assert_eq!(rule_of(&query, None), wanted, "{query}");
    }
    let mangled = read_callback(&format!("state={STATE}"), STATE, None).unwrap_err();
    assert_eq!(Cause::of(&mangled), Cause::User);
    let denied = read_callback(&format!("error=access_denied&state={STATE}"), STATE, None);
    let denied = denied.unwrap_err();
    assert_eq!(
        (denied.kind(), Cause::of(&denied)),
        (ErrorKind::Forbidden, Cause::User)
    );
    assert_eq!(denied.platform_code(), Some("access_denied"));
}

#[test]
fn no_state_is_no_match_for_no_state() {
    let error = read_callback("code=c&state=", "", None).unwrap_err();
    assert_eq!(error.rule(), Some(rule::STATE));
}

#[test]
fn an_issuer_that_is_always_named_has_to_be_there_and_right() {
    let issuer = Some("https://as.example");
    let query = |iss: &str| format!("code=c&state={STATE}{iss}");
    assert_eq!(
        rule_of(&query("&iss=https%3A%2F%2Fas.example"), issuer),
        "ok"
    );
    assert_eq!(
        rule_of(&query("&iss=https%3A%2F%2Fevil.example"), issuer),
        rule::ISSUER
    );
    assert_eq!(
        rule_of(&query("&iss=https%3A%2F%2Fas.example%2F"), issuer),
        rule::ISSUER
    );
    assert_eq!(rule_of(&query(""), issuer), rule::ISSUER);
    // Also of a refusal: it may be another's.
    assert_eq!(
        rule_of(&format!("error=access_denied&state={STATE}"), issuer),
        rule::ISSUER
    );
    assert_eq!(rule_of(&query("&iss=x"), None), "ok");
}

#[test]
fn the_end_that_instagram_puts_on_codes_goes() {
    let callback = read_callback(&format!("code=abc%23_&state={STATE}"), STATE, None).unwrap();
    assert_eq!(callback.code.expose(), "abc");
}

#[test]
fn a_server_that_the_data_does_not_list_gets_no_secret() {
    let provider = Provider {
        places: &[Place {
            name: "accounts",
            default: Some("https://accounts.zoho.com"),
            callback: Some(("accounts-server", &["https://accounts.zoho.eu"])),
        }],
        ..Provider::new(Platform::X, "https://a.example", "https://a.example")
    };
    let at = |server: &str| {
        let query = format!("code=c&state={STATE}&accounts-server={server}");
        read_callback(&query, STATE, None)
            .unwrap()
            .places(&provider, &App::public("app"))
    };
    let eu = at("https%3A%2F%2Faccounts.zoho.eu").unwrap();
    assert_eq!(eu["accounts"], "https://accounts.zoho.eu");
    // Where the callback says nothing, it is where the app or the platform's data say.
    let silent = read_callback(&format!("code=c&state={STATE}"), STATE, None).unwrap();
    let by = |app: App| silent.places(&provider, &app).unwrap()["accounts"].clone();
    assert_eq!(by(App::public("app")), "https://accounts.zoho.com");
    let own = App::public("app").place("accounts", "https://accounts.zoho.in");
    assert_eq!(by(own), "https://accounts.zoho.in");
    for evil in [
        "https%3A%2F%2Fevil.example",
        "https%3A%2F%2Faccounts.zoho.eu.evil.example",
        "",
    ] {
        assert_eq!(at(evil).unwrap_err().rule(), Some(rule::PLACE), "{evil}");
    }
}

#[test]
fn a_made_up_callback_fills_no_log() {
    let words = "x%0A".repeat(3000);
    let query = format!("error=no%0Ayes&error_description={words}&state={STATE}");
    let error = read_callback(&query, STATE, None).unwrap_err();
    assert!(error.to_string().len() < 500 && !error.to_string().contains('\n'));
    let long = format!("code={}&state={STATE}", "c".repeat(20_000));
    assert_eq!(rule_of(&long, None), rule::CALLBACK);
}

proptest! {
    /// Whatever comes, it is read or refused; and only the state's bearer gets a code out of it.
    #[test]
    fn anything_is_answered(query in "\\PC{0,200}") {
        let _ = read_callback(&query, STATE, None);
        let _ = state_of(&query);
    }

    #[test]
    fn a_code_comes_through_whole_whatever_stands_around_it(
        code in "[!-~]{1,200}",
        state in "[A-Za-z0-9_-]{22,60}",
        others in proptest::collection::vec(("[a-z]{6,9}", "\\PC{0,20}"), 0..5),
        place in 0usize..6,
    ) {
        prop_assume!(!code.ends_with("#_"));
        let mut pairs = others;
        pairs.retain(|(name, _)| name != "error_code");
        pairs.insert(place.min(pairs.len()), ("code".to_owned(), code.clone()));
        pairs.insert(place.min(pairs.len()), ("state".to_owned(), state.clone()));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
        let callback = read_callback(&query, &state, None).unwrap();
        prop_assert_eq!(callback.code.expose(), &code);
        let found = state_of(&query);
        prop_assert_eq!(found.expose(), &state);
        let other = format!("{state}x");
        let refused = read_callback(&query, &other, None).unwrap_err();
        prop_assert_eq!(refused.rule(), Some(rule::STATE));
        let text = format!("{refused:?}");
        prop_assert!(code.len() < 12 || !text.contains(&code));
    }
}
