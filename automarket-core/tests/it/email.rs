use automarket_core::{
    Context, Platform,
    email::Mailbox,
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
