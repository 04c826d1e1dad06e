use automarket_core::{
    Result, Secret, Url,
    oauth::{App, authorize_url, rule},
    testing::LoginUnderTest,
};

use super::platforms::{KEY, cases};

const REDIRECT: &str = "https://acme.dev/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const GOLDEN: &str = include_str!("../../fixtures/oauth_requests.txt");

/// Drives each platform through its whole life, and writes down every request and what was read.
#[tokio::test]
async fn each_platform_is_data() {
    let mut transcript = String::new();
    for case in cases() {
        let life = case.login.live().await;
        transcript.push_str(&format!("== {}\n{life}", case.name));
    }
    if transcript != GOLDEN {
        let path = std::env::temp_dir().join("oauth_requests.txt");
        std::fs::write(&path, &transcript).unwrap();
        let line = transcript.lines().zip(GOLDEN.lines());
        let differs = line.clone().find(|(new, old)| new != old);
        panic!(
            "the requests are not the golden ones, first {differs:?}; the new ones are in {}",
            path.display()
        );
    }
}

/// Where the browser is sent.
fn to(login: &LoginUnderTest, app: &App, back: &str) -> Result<Url> {
    let (state, verifier) = (Secret::new("s"), Secret::new(VERIFIER));
    authorize_url(&login.provider, app, back, None, &state, &verifier)
}

#[test]
fn an_app_is_called_back_where_it_is_registered_and_nowhere_else() {
    let login = cases().remove(0).login;
    let app = login.app.clone().redirect_uri(REDIRECT);
    assert!(to(&login, &app, REDIRECT).is_ok());
    let refused = to(&login, &app, "https://acme.dev/callback/other").unwrap_err();
    assert_eq!(refused.rule(), Some(rule::REDIRECT_URI));
}

#[test]
fn an_instance_is_https_and_no_more_than_an_address() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "mautic")
        .unwrap();
    for site in [
        "http://mkt.acme.dev",
        "https://mkt.acme.dev/?a=",
        "https://mkt.acme.dev/#",
        "https://user:pass@mkt.acme.dev",
        "javascript:alert(1)//",
        "mkt.acme.dev",
        "",
    ] {
        let app = App::new("app", "secret").place("site", site);
        let url = to(&case.login, &app, REDIRECT);
        assert_eq!(url.unwrap_err().rule(), Some(rule::PLACE), "{site}");
    }
}

#[test]
fn a_tenant_of_entra_stays_one_segment() {
    let case = cases()
        .into_iter()
        .find(|case| case.name == "dynamics")
        .unwrap();
    let app = App::public("app")
        .key(KEY)
        .place("org", "https://a.crm.dynamics.com");
    let of = |tenant: &str| {
        let app = app.clone().place("tenant", tenant);
        to(&case.login, &app, REDIRECT)
    };
    assert_eq!(of("a/b").unwrap().path(), "/a%2Fb/oauth2/v2.0/authorize");
    assert!(of("..").is_err());
}
