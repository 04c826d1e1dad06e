//! What the program `probe` answers, word for word, to lines as they come from outside.

use std::{
    io::Write as _,
    process::{Output, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

fn probe(input: Vec<u8>) -> Output {
    let mut process = crate::quickstart::example("probe")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Its answers are read meanwhile: a pipe holds only so much.
    let mut stdin = process.stdin.take().unwrap();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let output = process.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{:?}", output.status);
    assert!(output.stderr.is_empty());
    output
}

/// The answers to these lines, as they are written.
fn answers<T: AsRef<[u8]>>(lines: &[T]) -> Vec<String> {
    let mut input = Vec::new();
    for line in lines {
        input.extend_from_slice(line.as_ref());
        input.push(b'\n');
    }
    let output = String::from_utf8(probe(input).stdout).unwrap();
    let answers: Vec<String> = output.lines().map(str::to_owned).collect();
    assert_eq!(answers.len(), lines.len());
    answers
}

/// The replies without the envelope `id` and `ok`; of errors their codes.
fn ask_all(op: &str, requests: impl IntoIterator<Item = Value>) -> Vec<Value> {
    let lines = requests.into_iter().map(|mut request| {
        request["id"] = json!(7);
        request["op"] = json!(op);
        request.to_string()
    });
    let answers = answers(&lines.collect::<Vec<_>>());
    let replies = answers.iter().map(|answer| {
        let mut reply: Value = serde_json::from_str(answer).unwrap();
        let whole = reply.as_object_mut().unwrap();
        assert_eq!(whole.remove("id"), Some(json!(7)));
        match whole.remove("ok") {
            Some(Value::Bool(true)) => reply,
            ok => {
                assert_eq!(ok, Some(json!(false)));
                assert!(reply["error"]["message"].is_string(), "{reply}");
                reply["error"]["code"].clone()
            }
        }
    });
    replies.collect()
}

fn ask(op: &str, request: Value) -> Value {
    ask_all(op, [request]).remove(0)
}

fn base64(text: &str) -> String {
    STANDARD.encode(text)
}

fn tokens(platform: Option<&str>, status: u16, body: &str) -> Value {
    let mut request = json!({"status": status, "body_b64": base64(body)});
    if let Some(platform) = platform {
        request["platform"] = json!(platform);
    }
    ask("token_reply", request)
}

#[test]
fn a_token_reply_is_read_leniently() {
    let whole = r#"{"access_token":"a","refresh_token":"r","expires_in":"3600","scope":"x y","token_type":"Bearer","instance_url":"https://acme.my.salesforce.com"}"#;
    assert_eq!(
        tokens(None, 200, whole),
        json!({
            "access_token": "a", "refresh_token": "r", "expires_in": 3600, "scopes": ["x", "y"],
            "token_type": "Bearer", "base_url": "https://acme.my.salesforce.com/",
        })
    );
    // What the reply does not say is not there.
    let bare = json!({"access_token": "a"});
    assert_eq!(
        tokens(None, 200, r#"{"access_token":"a","expires_in":0}"#),
        bare
    );
    assert_eq!(tokens(Some("nobody"), 200, "access_token=a"), bare);
    let of_a_type =
        json!({"status": 200, "content_type": "text/plain", "body_b64": base64("access_token=a")});
    assert_eq!(ask("token_reply", of_a_type), bare);
    for (status, body, code) in [
        (400, r#"{"error":"invalid_grant"}"#, "oauth.invalid_grant"),
        (401, r#"{"error":"invalid_client"}"#, "oauth.client"),
        (200, r#"{"error":"invalid_scope"}"#, "oauth.scope"),
        (429, r#"{"access_token":"a"}"#, "oauth.wait"),
        (503, r#"{"error":"invalid_grant"}"#, "oauth.failing"),
        (200, "<html>", "oauth.reply"),
        (200, "", "oauth.reply"),
    ] {
        assert_eq!(tokens(None, status, body), code, "{status} {body}");
    }
}

#[test]
fn a_token_reply_is_read_in_the_ways_of_each_connector() {
    let of = |platform, body: &str| tokens(Some(platform), 200, body);
    assert_eq!(
        of(
            "linkedin",
            r#"{"access_token":"a","expires_in":5184000,"scope":"openid,profile"}"#
        ),
        json!({"access_token": "a", "expires_in": 5_184_000, "scopes": ["openid", "profile"]})
    );
    assert_eq!(
        of(
            "instagram",
            r#"{"data":[{"access_token":"a","user_id":1,"permissions":"b,c"}]}"#
        ),
        json!({"access_token": "a", "scopes": ["b", "c"]})
    );
    assert_eq!(
        of(
            "slack",
            r#"{"ok":true,"access_token":"a","token_type":"bot","scope":"chat:write,files:write","authed_user":{"id":"U1"}}"#
        ),
        json!({"access_token": "a", "token_type": "bot", "scopes": ["chat:write", "files:write"]})
    );
    assert_eq!(
        of(
            "slack",
            r#"{"ok":true,"authed_user":{"id":"U1","access_token":"p","token_type":"user"}}"#
        ),
        json!({"access_token": "p", "token_type": "user"})
    );
    assert_eq!(
        of("slack", r#"{"ok":false,"error":"invalid_code"}"#),
        "oauth.invalid_grant"
    );
    let used =
        r#"{"error":{"message":"used","type":"OAuthException","code":100,"error_subcode":36009}}"#;
    assert_eq!(tokens(Some("facebook"), 400, used), "oauth.invalid_grant");
    assert_eq!(tokens(Some("instagram"), 400, used), "oauth.invalid_grant");
    // Of a dead token and a dead code some say what others say of a wrong request.
    let says = |platform, words: &str| {
        let body = json!({"error": "invalid_request", "error_description": words});
        tokens(Some(platform), 400, &body.to_string())
    };
    for (platform, words) in [
        ("x", "Value passed for the token was invalid."),
        ("x", "Value passed for the authorization code was invalid."),
        (
            "linkedin",
            "The provided authorization grant or refresh token is invalid, expired or revoked",
        ),
        (
            "linkedin",
            "Unable to retrieve access token: authorization code not found",
        ),
    ] {
        assert_eq!(says(platform, words), "oauth.invalid_grant", "{words}");
    }
    for (platform, words) in [
        ("x", "Missing required parameter [code_verifier]."),
        (
            "x",
            "Value passed for the redirect uri did not match the uri of the authorization code.",
        ),
        (
            "linkedin",
            "A required parameter \"refresh_token\" is missing",
        ),
        (
            "linkedin",
            "A required parameter \"client_secret\" is missing",
        ),
    ] {
        assert_eq!(says(platform, words), "oauth.request", "{words}");
    }
    // Codes of one platform say nothing on another.
    assert_eq!(tokens(Some("x"), 400, used), "oauth.refused");
}

#[test]
fn a_challenge_follows_from_its_verifier() {
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = json!({"challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"});
    assert_eq!(ask("pkce", json!({ "verifier": verifier })), challenge);
    assert_eq!(ask("pkce", json!({"verifier": "short"})), "oauth.verifier");
    assert_eq!(ask("pkce", json!({})), "invalid_input");
}

#[test]
fn a_redirect_address_matches_its_own_text() {
    let of = |registered: &str, given: &str| {
        ask(
            "redirect_uri",
            json!({"registered": registered, "given": given}),
        )
    };
    let cb = "https://acme.dev/cb";
    assert_eq!(of(cb, cb), json!({"match": true}));
    assert_eq!(of(cb, "https://acme.dev/cb/"), json!({"match": false}));
    assert_eq!(of(cb, "no address"), json!({"match": false}));
    let loopback = of("http://127.0.0.1/cb", "http://127.0.0.1:5000/cb");
    assert_eq!(loopback, json!({"match": true}));
}

#[test]
fn a_callback_gives_its_code_or_says_why_not() {
    let of = |query: &str, iss: Option<&str>| {
        let mut request = json!({"query": query, "expected_state": "s"});
        if let Some(iss) = iss {
            request["iss"] = json!(iss);
        }
        ask("callback", request)
    };
    let code = json!({"code": "c"});
    assert_eq!(of("code=c&state=s", None), code);
    let issuer = Some("https://as.example");
    assert_eq!(
        of("?code=c&state=s&iss=https%3A%2F%2Fas.example", issuer),
        code
    );
    assert_eq!(
        of("code=c&state=s&iss=https%3A%2F%2Fevil.example", issuer),
        "oauth.issuer"
    );
    assert_eq!(of("code=c&state=s", issuer), "oauth.issuer");
    assert_eq!(of("code=c&state=other", None), "oauth.state");
    assert_eq!(of("error=access_denied&state=s", None), "oauth.denied");
    assert_eq!(of("state=s", None), "oauth.callback");
}

#[test]
fn what_is_sealed_opens_at_its_place_with_its_key() {
    let place = |key: u8, key_id: &str, tenant: &str| {
        json!({
            "key_b64": STANDARD.encode([key; 32]), "key_id": key_id,
            "tenant": tenant, "account": "12", "field": "credential",
        })
    };
    let mut seal = place(1, "k1", "acme");
    seal["plaintext_b64"] = json!(base64("the token"));
    let sealed = ask("seal", seal.clone());
    assert_ne!(ask("seal", seal), sealed, "a new nonce each time");
    let open = |mut lock: Value, envelope: &Value| {
        lock["envelope_b64"] = envelope.clone();
        ask("open", lock)
    };
    let envelope = &sealed["envelope_b64"];
    let plain = json!({"plaintext_b64": base64("the token")});
    assert_eq!(open(place(1, "k1", "acme"), envelope), plain);
    assert_eq!(open(place(1, "k1", "other"), envelope), "vault.damaged");
    assert_eq!(open(place(2, "k1", "acme"), envelope), "vault.damaged");
    assert_eq!(open(place(1, "k2", "acme"), envelope), "vault.missing_key");
    assert_eq!(open(place(1, "k1", "acme"), &json!("")), "vault.damaged");
    assert_eq!(open(place(1, "k1", "acme"), &json!("?")), "invalid_input");
    let mut short = place(1, "k1", "acme");
    short["key_b64"] = json!(base64("short"));
    assert_eq!(open(short, envelope), "vault.key");
}

#[test]
fn each_line_is_answered_in_its_place_however_odd_it_is() {
    let wrong: [(&[u8], &str, &str); 12] = [
        (b"", "null", "not_json"),
        (b"  \r", "null", "not_json"),
        (b"\xFF", "null", "not_json"),
        (b"{\"id\":1,", "null", "not_json"),
        (b"{} {}", "null", "not_json"),
        (b"7", "null", "unknown_op"),
        (b"[1]", "null", "unknown_op"),
        (b"{}", "null", "unknown_op"),
        (
            b"{\"id\":[1,{\"a\":null}]}",
            "[1,{\"a\":null}]",
            "unknown_op",
        ),
        (b"{\"op\":7,\"id\":\"a\"}", "\"a\"", "unknown_op"),
        (b"{\"op\":\"no-such-op\",\"id\":1}", "1", "unknown_op"),
        (b"{\"id\":1,\"op\":\"length\"}", "1", "invalid_input"),
    ];
    let lines = wrong.map(|(line, ..)| line);
    for (answer, (line, id, code)) in answers(&lines).iter().zip(wrong) {
        let line = String::from_utf8_lossy(line);
        let reply: Value = serde_json::from_str(answer).unwrap();
        assert_eq!(reply["id"].to_string(), id, "{line}");
        assert_eq!(reply["ok"], false, "{line}");
        assert_eq!(reply["error"]["code"], code, "{line}");
        assert!(reply["error"]["message"].is_string(), "{line}");
    }
    // No line has no answer, and the last one needs no end.
    assert!(probe(Vec::new()).stdout.is_empty());
    let last = probe(b"{}\n7".to_vec()).stdout;
    assert_eq!(last.iter().filter(|byte| **byte == b'\n').count(), 2);
}

#[test]
fn an_id_comes_back_as_it_was_written() {
    let ids = [
        "18446744073709551617",
        "1.50",
        "-0",
        "{ \"id\" : 1 }",
        "\"\\u0041\"",
        "null",
    ];
    let line =
        |id| format!("{{ \"text\":\"a\", \"id\" : {id} , \"platform\":\"x\",\"op\":\"length\"}}");
    for (answer, id) in answers(&ids.map(line)).iter().zip(ids) {
        assert!(answer.starts_with(&format!("{{\"id\":{id},")), "{answer}");
        assert!(answer.contains("\"ok\":true"), "{answer}");
    }
}

#[test]
fn json_beyond_what_a_value_holds_has_its_id_too() {
    let deep = format!(r#""deep":{}{}"#, "[".repeat(200), "]".repeat(200));
    for line in [
        r#"{"id":7,"op":"ip","ip":"1.1.1.1","x":1e999}"#.to_owned(),
        format!(r#"{{"id":7,"op":"ip","ip":"1.1.1.1",{deep}}}"#),
    ] {
        let answer = answers(&[&line]).remove(0);
        assert!(answer.starts_with("{\"id\":7,"), "{answer}");
        assert!(answer.contains("\"code\":\"invalid_input\""), "{answer}");
    }
    let number = answers(&[r#"{"id":1e999,"op":"ip"}"#]).remove(0);
    assert!(number.starts_with("{\"id\":1e999,"), "{number}");
}

#[test]
fn an_instant_is_rfc_3339() {
    let of = |now: &str| ask("retry_after", json!({"headers": {}, "now": now}));
    for wrong in [
        "2027-03-27T00:00:00UTC",
        "2027-3-7T0:00:00Z",
        "+002027-03-27T00:00:00Z",
        " 2027-03-27T00:00:00Z",
        "2027-03-27T00:00:00+0100",
    ] {
        assert_eq!(of(wrong), "invalid_input", "{wrong}");
    }
    assert_eq!(of("2027-03-27T00:00:00+01:00"), json!({"seconds": null}));
    let html = r#"<html><head><meta property="article:published_time" content="9999-12-31T23:59:59-23:59"><title>a</title></head><body><p>b</p></body></html>"#;
    let page = ask("extract", json!({"html_b64": base64(html)}));
    assert_eq!(page["published"], "9999-12-31T23:59:59-23:59", "{page}");
}

#[test]
fn one_key_has_one_id() {
    let (key, other) = (STANDARD.encode([1; 32]), STANDARD.encode([2; 32]));
    let of = |id: &str, key: &str| {
        ask(
            "seal",
            json!({"key_b64": key, "key_id": id, "tenant": "t", "account": "a", "field": "f",
                "plaintext_b64": base64("secret")}),
        )
    };
    assert!(of("a", &key)["envelope_b64"].is_string());
    for (id, key) in [
        (" a", key.clone()),
        ("a:b", key.clone()),
        ("a,b", key.clone()),
        ("a", format!("{key},b:{other}")),
        ("a", format!("{key},{other}")),
        ("a", format!("{key}\n")),
    ] {
        assert_eq!(of(id, &key), "invalid_input", "{id} {key}");
    }
}

#[test]
fn options_have_names() {
    for options in [json!([]), json!(3), json!("x")] {
        let report = ask(
            "check",
            json!({"platform": "x", "text": "a", "options": options}),
        );
        let found = report["findings"].as_array().unwrap();
        let is_blocker = |f: &Value| f["severity"] == "blocker";
        assert!(found.iter().any(is_blocker), "{options}: {report}");
    }
}

#[test]
fn a_local_time_is_an_instant_and_says_how_it_met_the_clock_changes() {
    let of = |local: &str| ask("instant", json!({"local": local, "zone": "Europe/Berlin"}));
    for (local, utc, kind) in [
        ("2027-01-11T09:00", "2027-01-11T08:00:00Z", "unique"),
        ("2027-03-28 02:30", "2027-03-28T01:00:00Z", "gap"),
        ("2027-10-31T02:30:00", "2027-10-31T00:30:00Z", "fold"),
    ] {
        assert_eq!(of(local), json!({"utc": utc, "kind": kind}));
    }
    assert_eq!(of("2027-1-1T9:0"), "invalid_input");
    let mars = json!({"local": "2027-01-11T09:00", "zone": "Mars/Base"});
    assert_eq!(ask("instant", mars), "invalid_input");
}

#[test]
fn a_timetable_says_its_next_runs() {
    let of = |rule: &str, from: Value, count: usize| {
        let zone = "Europe/Berlin";
        ask(
            "timetable",
            json!({"rule": rule, "zone": zone, "from": from, "count": count}),
        )
    };
    let nine = json!({"instants": ["2027-03-27T08:00:00Z", "2027-03-28T07:00:00Z"]});
    assert_eq!(of("0 9 * * *", json!("2027-03-27T00:00:00+01:00"), 2), nine);
    // What is asked after is no answer.
    assert_eq!(of("0 9 * * *", json!("2027-03-26T08:00:00Z"), 2), nine);
    assert_eq!(of("0 9 * * *", json!(1_806_048_000), 2), nine);
    assert_eq!(of("0 9 * * *", json!(0), 0), json!({"instants": []}));
    // There is no such day.
    assert_eq!(of("0 0 30 2 *", json!(0), 1), json!({"instants": []}));
    for (rule, from, count) in [
        ("nonsense", json!(0), 1),
        ("0 9 * * *", json!("yesterday"), 1),
        ("0 9 * * *", json!(0), 100_001),
    ] {
        assert_eq!(of(rule, from, count), "invalid_input", "{rule}");
    }
}

#[test]
fn a_backoff_doubles_up_to_an_hour_and_is_spread_over_all_of_it() {
    let of = |attempt: u64| {
        let seeds = (0..1000).map(|seed| json!({"attempt": attempt, "seed": seed}));
        let replies = ask_all("backoff", seeds);
        let seconds = replies
            .iter()
            .map(|reply| reply["seconds"].as_f64().unwrap());
        seconds.collect::<Vec<f64>>()
    };
    assert_eq!(of(3), of(3), "a seed says it all");
    for (attempt, cap) in [
        (1, 1.0),
        (4, 8.0),
        (12, 2048.0),
        (13, 3600.0),
        (u64::MAX, 3600.0),
    ] {
        let all = of(attempt);
        let most = all.iter().copied().fold(0.0, f64::max);
        let least = all.iter().copied().fold(f64::MAX, f64::min);
        let mean = all.iter().sum::<f64>() / 1000.0;
        assert!(least < cap * 0.01, "{attempt}: {least}");
        assert!((mean / cap - 0.5).abs() < 0.05, "{attempt}: {mean}");
        assert!(most > cap * 0.99 && most <= cap, "{attempt}: {most}");
    }
    assert!(ask("backoff", json!({"attempt": 2}))["seconds"].is_f64());
    assert_eq!(ask("backoff", json!({"attempt": -1})), "invalid_input");
}

#[test]
fn what_only_a_connector_can_say_of_a_content_is_found_too() {
    let poll = |answers: &[&str]| {
        let options = json!({"poll": {"options": answers, "minutes": 60}});
        ask(
            "check",
            json!({"platform": "x", "text": "Which?", "options": options}),
        )
    };
    let one = poll(&["yes"]);
    assert_eq!(one["findings"][0]["severity"], "blocker", "{one}");
    assert!(one["score"].as_u64().unwrap() <= 40, "{one}");
    let two = poll(&["yes", "no"]);
    let found = two["findings"].as_array().unwrap();
    assert!(found.iter().all(|f| f["severity"] != "blocker"), "{two}");
}

#[test]
fn a_length_is_valid_where_the_platform_takes_the_text() {
    let of = |text: &str| ask("length", json!({"platform": "x", "text": text}));
    for (text, length, valid) in [
        ("Grüße".to_owned(), 5, true),
        ("a".repeat(280), 280, true),
        // White space counts, as it is sent.
        ("a".repeat(280) + " ", 281, false),
        ("ABC\u{202a}\u{ffff}ABC\u{fffe}".to_owned(), 12, false),
        (" ".to_owned(), 1, false),
        (String::new(), 0, false),
    ] {
        let reply = of(&text);
        assert_eq!(
            (&reply["length"], &reply["valid"]),
            (&json!(length), &json!(valid)),
            "{text:?}"
        );
    }
    let poem = json!({"platform": "facebook", "text": "a ".repeat(70_000)});
    assert_eq!(ask("length", poem)["valid"], false);
}

#[test]
fn half_a_character_is_read_as_the_replacement_character() {
    let of = |line: &str| -> Value { serde_json::from_str(&answers(&[line])[0]).unwrap() };
    let url = |text: &str| of(&format!(r#"{{"id":1,"op":"url","url":"{text}"}}"#));
    for text in [r"http://a/\ud800", r"http://a/\uDC00", r"http://a/\ufffd"] {
        let reply = url(text);
        assert_eq!(reply["id"], 1, "{text}");
        assert_eq!(reply["href"], "http://a/%EF%BF%BD", "{text}");
    }
    // A whole one, and what only looks like half of one, stay.
    assert_eq!(
        url(r"http://a/\ud83d\ude00\ud83d")["href"],
        "http://a/%F0%9F%98%80%EF%BF%BD"
    );
    assert_eq!(
        url(r"http://a/?\\ud800\ud800")["href"],
        r"http://a/?\ud800%EF%BF%BD"
    );
    let id = answers(&[r#"{"id":"\ud800","op":"no-such-op"}"#]).remove(0);
    assert!(id.starts_with(r#"{"id":"\ud800","#), "{id}");
    assert_eq!(of(r#"{"id":1,"text":"\ud8"#)["error"]["code"], "not_json");
}

#[test]
fn ip_takes_brackets_round_an_address_of_ipv6_alone() {
    let allowed = |ips: &[&str]| -> Vec<Value> {
        let requests = ips.iter().map(|ip| json!({ "ip": ip }));
        let replies = ask_all("ip", requests);
        replies.iter().map(|r| r["allowed"].clone()).collect()
    };
    let no_address = [
        "[8.8.8.8",
        "8.8.8.8]",
        "[8.8.8.8]",
        "[[8.8.8.8]]",
        "[[2001:4860:4860::8888]]",
        "[]",
        "",
    ];
    assert_eq!(allowed(&no_address), vec![json!(false); no_address.len()]);
    let public = ["8.8.8.8", "2001:4860:4860::8888", "[2001:4860:4860::8888]"];
    assert_eq!(allowed(&public), vec![json!(true); public.len()]);
    assert_eq!(allowed(&["[::1]", "127.0.0.1"]), [false, false]);
}
