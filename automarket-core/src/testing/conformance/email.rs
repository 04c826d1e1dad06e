//! What every `EmailProvider` keeps.

use bytes::Bytes;

use crate::{
    Context, EmailProvider, ErrorKind, Result,
    email::{EmailMessage, Mailbox, Mailing, Member},
};

/// A provider under test.
pub struct EmailUnderTest<'a> {
    /// The connector.
    pub provider: &'a dyn EmailProvider,
    /// An environment with a good credential.
    pub context: Context,
    /// A sender that the provider lets us use.
    pub from: Mailbox,
    /// How many messages went out so far, read from the fake.
    pub sent: &'a (dyn Fn() -> usize + Sync),
}

/// All promises, one after the other.
pub async fn all(test: &EmailUnderTest<'_>) {
    profile_is_sane(test);
    each_message_has_its_result_in_order(test).await;
    one_bad_message_fails_alone(test).await;
    what_is_not_kept_is_unsupported(test).await;
    garbage_is_no_event(test);
}

fn message(test: &EmailUnderTest<'_>, to: &str) -> EmailMessage {
    let mut message = EmailMessage::new(test.from.clone(), "Hello ✓");
    message.to.push(Mailbox {
        email: to.into(),
        name: None,
    });
    message.text = Some("We shipped.".into());
    message
}

fn profile_is_sane(test: &EmailUnderTest<'_>) {
    let profile = test.provider.profile();
    assert!(profile.max_batch > 0 && profile.max_bytes > 0);
    assert!(!profile.api.version.is_empty() && profile.api.source.starts_with("https://"));
}

async fn each_message_has_its_result_in_order(test: &EmailUnderTest<'_>) {
    let before = (test.sent)();
    let several: Vec<_> = (0..5)
        .map(|n| message(test, &format!("reader{n}@example.com")))
        .collect();
    let results = sent(test, &several).await;
    assert_eq!((test.sent)(), before + several.len());
    let ids: Vec<_> = results
        .iter()
        .map(|result| {
            result
                .as_ref()
                .map(|outcome| outcome.remote_id().to_owned())
                .ok()
        })
        .collect();
    assert!(ids.iter().all(Option::is_some), "{results:?}");
}

async fn one_bad_message_fails_alone(test: &EmailUnderTest<'_>) {
    let before = (test.sent)();
    let spoilt: [fn(&mut EmailMessage); 4] = [
        |m| m.to.clear(),
        |m| m.subject = "Hi\r\nBcc: everyone@example.com".into(),
        |m| m.to[0].email = "x@example.com, everyone@example.com".into(),
        |m| {
            drop(
                m.headers
                    .insert("Bcc".into(), "everyone@example.com".into()),
            )
        },
    ];
    let mut messages = vec![message(test, "a@example.com")];
    for spoil in spoilt {
        let mut bad = message(test, "x@example.com");
        spoil(&mut bad);
        messages.push(bad);
    }
    messages.push(message(test, "b@example.com"));
    let results = sent(test, &messages).await;
    let kinds: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().err().map(crate::Error::kind))
        .collect();
    let bad = Some(ErrorKind::InvalidInput);
    assert_eq!(kinds, [None, bad, bad, bad, bad, None]);
    assert_eq!((test.sent)(), before + 2);
}

async fn sent(test: &EmailUnderTest<'_>, messages: &[EmailMessage]) -> Vec<Result<crate::Outcome>> {
    match test.provider.send(&test.context, messages).await {
        Ok(results) => {
            assert_eq!(results.len(), messages.len(), "one result per message");
            results
        }
        Err(error) => panic!("{}", error.report()),
    }
}

async fn what_is_not_kept_is_unsupported(test: &EmailUnderTest<'_>) {
    let (provider, cx) = (test.provider, &test.context);
    if provider.profile().mailings {
        return;
    }
    let member = Member {
        email: "a@example.com".into(),
        subscribed: true,
        tags: Vec::new(),
        fields: Default::default(),
    };
    let mailing = Mailing {
        audience: "1".into(),
        message: message(test, "a@example.com"),
    };
    let kinds = [
        provider.upsert_members(cx, "1", &[member]).await.err(),
        provider.create_mailing(cx, &mailing).await.err(),
        provider.send_mailing(cx, "1", None).await.err(),
        provider.cancel_mailing(cx, "1").await.err(),
        provider.report(cx, "1").await.err(),
    ];
    for error in kinds {
        assert_eq!(
            error.map(|error| error.kind()),
            Some(ErrorKind::Unsupported)
        );
    }
}

fn garbage_is_no_event(test: &EmailUnderTest<'_>) {
    let garbage = test
        .provider
        .decode_events(&Bytes::from_static(b"\0garbage{"));
    assert_eq!(
        garbage.err().map(|error| error.kind()),
        Some(ErrorKind::InvalidInput)
    );
}
