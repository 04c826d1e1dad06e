use automarket_core::{
    Context, ErrorKind, Platform,
    email::{EmailMessage, Mailbox},
    testing::{RecordingEmail, Script, conformance::email},
};

#[tokio::test]
async fn the_recording_provider_keeps_the_contract() {
    let provider = RecordingEmail::new(Platform::from_static("recording"));
    let counted = provider.clone();
    let sent = move || counted.sent().len();
    let test = email::EmailUnderTest {
        provider: &provider,
        context: Context::new(Script::new()),
        from: Mailbox {
            email: "news@acme.example".into(),
            name: Some("Acme".into()),
        },
        sent: &sent,
    };
    email::all(&test).await;
}

fn mailbox(email: &str) -> Mailbox {
    Mailbox {
        email: email.into(),
        name: None,
    }
}

fn message() -> EmailMessage {
    let mut message = EmailMessage::new(mailbox("news@acme.example"), "Hello");
    message.to.push(mailbox("ada@example.com"));
    message.text = Some("We shipped.".into());
    message
}

/// Which field is refused, if one is.
fn refused(spoil: impl FnOnce(&mut EmailMessage)) -> Option<String> {
    let mut message = message();
    spoil(&mut message);
    let error = message.check().err()?;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    let said = error.to_string();
    assert!(!said.contains(['\r', '\n']), "{said:?}");
    error.field().map(str::to_owned)
}

#[test]
fn an_address_is_one_address() {
    for good in [
        "ada@example.com",
        "ada.l+news@mail.example.com",
        "o'brien/x=y@example.com",
        "用户@例子.广告",
        "ada@xn--fsqu00a.xn--3lr804guic",
        "root@localhost",
    ] {
        assert_eq!(refused(|m| m.to.push(mailbox(good))), None, "{good}");
    }
    let long_name = format!("{}@example.com", "a".repeat(65));
    let long = format!("a@{}.com", "b".repeat(250));
    for bad in [
        "a@x.dev, b@y.dev",
        "a@x.dev;b@y.dev",
        "a@x>,<b@y",
        "Ada <ada@example.com>",
        "ada@example.com ",
        "ada@@example.com",
        "ada@example.com@evil.dev",
        "\"a b\"@example.com",
        "ada(comment)@example.com",
        "ada@[127.0.0.1]",
        "ada@example..com",
        "@example.com",
        "ada@",
        "ada",
        "",
        "ada@example.com\r\nBcc: b@y.dev",
        "ada\u{2028}@example.com",
        "group:a@x.dev;",
        &long_name,
        &long,
    ] {
        let to = |field| Some(String::from(field));
        assert_eq!(refused(|m| m.to.push(mailbox(bad))), to("to"), "{bad:?}");
        assert_eq!(refused(|m| m.cc.push(mailbox(bad))), to("cc"));
        assert_eq!(refused(|m| m.bcc.push(mailbox(bad))), to("bcc"));
        assert_eq!(refused(|m| m.reply_to = Some(mailbox(bad))), to("reply_to"));
        assert_eq!(refused(|m| m.from = mailbox(bad)), to("from"));
    }
    let named = |m: &mut EmailMessage| m.cc.push(mailbox("a@x.dev"));
    assert_eq!(refused(named), None);
    let name = Some("Ada\r\nBcc: b@y.dev".to_owned());
    let named = refused(|m| m.from.name = name);
    assert_eq!(named.as_deref(), Some("from"));
}

#[test]
fn a_header_is_one_that_the_message_has_no_field_for() {
    let header = |name: &str, value: &str| {
        refused(|m| drop(m.headers.insert(name.to_owned(), value.to_owned())))
    };
    for good in [
        "List-Unsubscribe",
        "X-Campaign",
        "In-Reply-To",
        "References",
        "x_1.a",
    ] {
        assert_eq!(header(good, "<https://acme.example/u>, ✓"), None, "{good}");
    }
    for bad in [
        "Bcc",
        "to",
        "CC",
        "From",
        "Sender",
        "Reply-To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Type",
        "content-transfer-encoding",
        "Return-Path",
        "Received",
        "Resent-To",
        "",
        "X: y",
        "X y",
        "X\r\nBcc",
        "Ümlaut",
        "X(y)",
    ] {
        assert_eq!(
            header(bad, "b@y.dev").as_deref(),
            Some("headers"),
            "{bad:?}"
        );
    }
    for bad in [
        "a\r\nBcc: b@y.dev",
        "a\nb",
        "a\0b",
        "a\u{85}b",
        "a\u{2028}b",
    ] {
        assert_eq!(header("X-Campaign", bad).as_deref(), Some("headers"));
        assert_eq!(
            refused(|m| m.subject = bad.into()).as_deref(),
            Some("subject")
        );
    }
    assert_eq!(refused(|m| m.to.clear()).as_deref(), Some("to"));
    assert_eq!(refused(|m| m.text = None).as_deref(), Some("text"));
}
