//! Prompts, strict answers, bounded repair, remembered turns.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
};

use automarket_core::{
    Context, Error, ErrorKind, Identity, Result, Retry,
    ai::{
        Completion, LanguageModel, ModelRequest, StopReason, TextStream, Usage, prompt, write_with,
    },
    async_trait,
    profile::ApiVersion,
    testing::{
        Script,
        conformance::generator::{brief, hostile_pages, page},
    },
};
use serde_json::{Value, json};

/// A model that answers what it was told to, and remembers what it was asked.
#[derive(Default)]
struct Parrot {
    answers: Mutex<VecDeque<Result<Completion>>>,
    asked: Mutex<Vec<ModelRequest>>,
}

impl Parrot {
    fn of(answers: impl IntoIterator<Item = Result<Completion>>) -> Self {
        Self {
            answers: Mutex::new(answers.into_iter().collect()),
            asked: Mutex::default(),
        }
    }

    fn asked(&self) -> Vec<ModelRequest> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl LanguageModel for Parrot {
    fn api(&self) -> &ApiVersion {
        const { &ApiVersion::new("1", "the test") }
    }

    async fn identify(&self, _cx: &Context) -> Result<Vec<Identity>> {
        Ok(Vec::new())
    }

    async fn complete(&self, _cx: &Context, request: &ModelRequest) -> Result<Completion> {
        self.asked.lock().unwrap().push(request.clone());
        let answer = self.answers.lock().unwrap().pop_front();
        answer.expect("asked more often than expected")
    }

    async fn stream(&self, _cx: &Context, _request: &ModelRequest) -> Result<TextStream> {
        Err(Error::unsupported("not here"))
    }
}

fn said(text: impl Into<String>, stop: StopReason) -> Result<Completion> {
    Ok(Completion {
        text: text.into(),
        stop,
        model: "parrot-1".into(),
        usage: Usage {
            input_tokens: 10,
            output_tokens: 3,
        },
    })
}

fn answer(texts: &Value) -> Result<Completion> {
    let answer = json!({ "name": "Harbour", "description": "About lights.", "texts": texts });
    said(answer.to_string(), StopReason::Done)
}

fn good() -> Value {
    let text = "Lumen cut the bill by 52%.";
    json!({ "linkedin": text, "x": text, "instagram": text, "facebook": text })
}

fn with(key: &str, text: &str) -> Value {
    let mut texts = good();
    texts[key] = json!(text);
    texts
}

fn cx() -> Context {
    Context::new(Script::new())
}

#[tokio::test]
async fn a_good_answer_is_taken_at_once() {
    let model = Parrot::of([answer(&good())]);
    let drafts = write_with(&model, "parrot", &cx(), &brief(page()))
        .await
        .unwrap();
    assert_eq!(
        (drafts.name.as_str(), drafts.generator.as_str()),
        ("Harbour", "parrot")
    );
    assert_eq!(drafts.model.as_deref(), Some("parrot-1"));
    assert_eq!((drafts.repairs, drafts.usage.input_tokens), (0, 10));
    assert_eq!(drafts.texts.len(), 4);
    let hash = drafts.prompt_hash.unwrap();
    assert_eq!(hash.len(), 64);
    assert!(hash.chars().all(|c| c.is_ascii_hexdigit()));
}

#[tokio::test]
async fn each_fault_is_told_and_repaired() {
    let mut missing = good();
    missing.as_object_mut().unwrap().remove("x");
    let long = "The lights dim themselves. ".repeat(12);
    for (fault, told) in [
        (
            said("Sure! Here it is: {}", StopReason::Done),
            "not a JSON object",
        ),
        (
            said("```json\n{}\n```", StopReason::Done),
            "not a JSON object",
        ),
        (said("", StopReason::Done), "not a JSON object"),
        (said(" \n", StopReason::Done), "not a JSON object"),
        (answer(&missing), "target x is missing"),
        (answer(&with("x", " ")), "target x is missing"),
        (answer(&with("bluesky", "hi")), "no target"),
        (answer(&with("x", long.trim())), "x is "),
        (answer(&with("x", "Lumen saves 90%.")), "x says \"90%\""),
        (
            answer(&with("linkedin", "As Maersk Line says")),
            "linkedin says \"Maersk Line\"",
        ),
        (
            answer(&with("facebook", "https://evil.example")),
            "https://evil.example",
        ),
    ] {
        let model = Parrot::of([fault, answer(&good())]);
        let drafts = write_with(&model, "parrot", &cx(), &brief(page()))
            .await
            .unwrap();
        assert_eq!(
            (drafts.repairs, drafts.usage.output_tokens),
            (1, 6),
            "{told}"
        );
        let asked = model.asked();
        assert_eq!(asked.len(), 2);
        let blank = |turn: &String| turn.trim().is_empty();
        assert!(!asked[1].turns.iter().any(blank), "no API takes that");
        assert_eq!(asked[1].turns.len(), 3, "user, assistant, user");
        assert_eq!(asked[1].turns[0], asked[0].turns[0]);
        assert!(
            asked[1].turns[2].contains(told),
            "{told}: {}",
            asked[1].turns[2]
        );
    }
}

#[tokio::test]
async fn banned_words_are_repaired() {
    let mut brief = brief(page());
    for (banned, text) in [
        ("cheap", "It is cheap."),
        ("免费", "完全免费的"),
        ("game changer", "a game\nchanger"),
        ("Café", "the cafe\u{301}"),
        ("무료", "무료로 제공"),
    ] {
        brief.voice.banned = vec![banned.into()];
        let model = Parrot::of([answer(&with("x", text)), answer(&good())]);
        write_with(&model, "parrot", &cx(), &brief).await.unwrap();
        let told = format!("x uses \"{banned}\"");
        let asked = model.asked();
        assert!(
            asked
                .get(1)
                .is_some_and(|again| again.turns[2].contains(&told)),
            "{text}"
        );
    }
}

#[tokio::test]
async fn after_two_repairs_the_last_readable_answer_is_returned() {
    let wrong = || answer(&with("x", "Lumen saves 90%."));
    let model = Parrot::of([wrong(), wrong(), wrong()]);
    let drafts = write_with(&model, "parrot", &cx(), &brief(page()))
        .await
        .unwrap();
    assert_eq!((drafts.repairs, drafts.usage.input_tokens), (2, 30));
    assert_eq!(drafts.texts[1].text, "Lumen saves 90%.");

    let garbage = || said("no", StopReason::Done);
    let model = Parrot::of([wrong(), garbage(), said("", StopReason::Refused(None))]);
    let drafts = write_with(&model, "parrot", &cx(), &brief(page()))
        .await
        .unwrap();
    assert_eq!(drafts.texts[1].text, "Lumen saves 90%.");
}

#[tokio::test]
async fn what_was_paid_for_stands_though_its_repair_cannot_be_asked_for() {
    let wrong = || answer(&with("x", "Lumen saves 90%."));
    use ErrorKind::{Forbidden, InvalidInput, LeaseLost, QuotaExhausted, Unavailable};
    for kind in [QuotaExhausted, Forbidden, InvalidInput] {
        let model = Parrot::of([
            wrong(),
            Err(Error::new(kind, "no").with_retry(Retry::Never)),
        ]);
        let drafts = write_with(&model, "parrot", &cx(), &brief(page()))
            .await
            .unwrap();
        assert_eq!(drafts.texts[1].text, "Lumen saves 90%.");
        assert_eq!((drafts.repairs, drafts.usage.input_tokens), (0, 10));
    }
    // Nothing stands yet, it may be right later, or it is trouble of ours.
    let garbage = said("no", StopReason::Done);
    for (first, kind) in [
        (garbage, QuotaExhausted),
        (wrong(), Unavailable),
        (wrong(), LeaseLost),
        (wrong(), ErrorKind::Internal),
    ] {
        let model = Parrot::of([first, Err(Error::new(kind, "no"))]);
        let error = write_with(&model, "parrot", &cx(), &brief(page()))
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind);
    }
}

#[tokio::test]
async fn an_answer_that_never_reads_keeps_its_text() {
    let model = Parrot::of([
        said("one", StopReason::Done),
        said("two", StopReason::Done),
        said("I would rather sing.", StopReason::Done),
    ]);
    let error = write_with(&model, "parrot", &cx(), &brief(page()))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::UnexpectedReply, Retry::Never)
    );
    assert_eq!(error.body(), Some("I would rather sing."));
}

#[tokio::test]
async fn refusal_and_truncation_are_told_apart() {
    let why = StopReason::Refused(Some("not this".into()));
    let model = Parrot::of([said("", why)]);
    let error = write_with(&model, "parrot", &cx(), &brief(page()))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ContentRefused);
    assert!(error.to_string().contains("not this"));

    let model = Parrot::of([said("{\"name\":", StopReason::Truncated)]);
    let error = write_with(&model, "parrot", &cx(), &brief(page()))
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.body()),
        (ErrorKind::Truncated, Some("{\"name\":"))
    );
}

/// By chance, or because somebody chose another model or allowed it more: it is not the same answer for ever.
#[tokio::test]
async fn what_ended_it_for_good_is_asked_for_again_by_whoever_tries_again() {
    let garbage = || said("no", StopReason::Done);
    let refused = || said("", StopReason::Refused(None));
    let cut = || said("{\"name\":", StopReason::Truncated);
    use ErrorKind::{ContentRefused, Truncated, UnexpectedReply};
    for (answers, kind) in [
        (vec![refused()], ContentRefused),
        (vec![cut()], Truncated),
        (vec![garbage(), cut()], Truncated),
        (vec![garbage(), garbage(), refused()], ContentRefused),
        (vec![garbage(), garbage(), garbage()], UnexpectedReply),
    ] {
        let cx = cx().with_steps(Arc::new(automarket_core::steps::MemorySteps::default()));
        let asked = answers.len();
        let model = Parrot::of(answers.into_iter().chain([answer(&good())]));
        let first = write_with(&model, "parrot", &cx, &brief(page())).await;
        assert_eq!(first.unwrap_err().kind(), kind);
        for _ in 0..2 {
            let drafts = write_with(&model, "parrot", &cx, &brief(page())).await;
            let drafts = drafts.unwrap();
            assert_eq!(drafts.texts[1].text, "Lumen cut the bill by 52%.");
            let paid = 10 * (asked as u64 + 1);
            assert_eq!(drafts.usage.input_tokens, paid, "each that arrived");
            assert_eq!(model.asked().len(), asked + 1, "only the last once more");
        }
    }
}

#[tokio::test]
async fn an_answer_that_arrived_is_not_paid_for_again() {
    let steps = Arc::new(automarket_core::steps::MemorySteps::default());
    let cx = cx().with_steps(steps);
    let broken = Error::new(ErrorKind::Network, "cut").with_retry(Retry::Reconcile);
    let model = Parrot::of([
        answer(&with("x", "Lumen saves 90%.")),
        Err(broken),
        answer(&good()),
    ]);
    let error = write_with(&model, "parrot", &cx, &brief(page()))
        .await
        .unwrap_err();
    assert!(error.is_unknown());
    let drafts = write_with(&model, "parrot", &cx, &brief(page()))
        .await
        .unwrap();
    assert_eq!(drafts.usage.input_tokens, 20, "two answers were paid for");
    assert_eq!(model.asked().len(), 3, "the first turn was not asked again");
    write_with(&model, "parrot", &cx, &brief(page()))
        .await
        .unwrap();
    assert_eq!(model.asked().len(), 3, "nothing was asked again");
    let other = brief(automarket_core::source::Page {
        title: Some("Another".into()),
        ..page()
    });
    model.answers.lock().unwrap().push_back(answer(&good()));
    write_with(&model, "parrot", &cx, &other).await.unwrap();
    assert_eq!(model.asked().len(), 4, "another page is another question");
}

#[test]
fn a_page_is_data_and_cannot_leave_its_brackets() {
    for page in hostile_pages() {
        let request = prompt(&brief(page.clone()));
        let turn = &request.turns[0];
        for mark in [
            "<page>",
            "</page>",
            "<targets>",
            "</targets>",
            "<voice>",
            "</voice>",
        ] {
            assert_eq!(turn.matches(mark).count(), 1, "{mark}");
        }
        assert!(!request.system.contains("Ignore all"));
        let data = turn
            .split_once("<page>")
            .unwrap()
            .1
            .strip_suffix("</page>")
            .unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        let text = data["text"].as_str().unwrap();
        assert!(text.chars().count() <= 40_000);
        assert!(!text.contains(|c: char| c.is_control() && c != '\n' || c == '\u{202e}'));
        assert_eq!(
            data["truncated"],
            json!(page.text.chars().count() > 40_000),
            "{:?}",
            page.title
        );
    }
}

/// A source of the host's own may give whatever a page says.
#[test]
fn a_prompt_is_bounded_whatever_the_page_says_of_itself() {
    let long = || Some("9 ".repeat(1_000_000));
    let page = automarket_core::source::Page {
        title: long(),
        description: long(),
        byline: long(),
        site_name: long(),
        language: long(),
        excerpt: long(),
        direction: long(),
        colors: vec!["9 ".repeat(10_000); 100],
        text: "8 ".repeat(1_000_000),
        ..page()
    };
    let kept = page.clone().bounded();
    assert!(kept.truncated);
    assert!(kept.direction.as_ref().unwrap().len() <= 2_000);
    assert_eq!(kept.colors.len(), 8);
    assert!(kept.colors.iter().all(|color| color.len() <= 2_000));
    assert!(automarket_core::ai::source_text(&kept).chars().count() < 250_000);
    assert_eq!(kept.clone().bounded(), kept);
    let turn = &prompt(&brief(page)).turns[0];
    assert!(turn.len() < 60_000, "{}", turn.len());
}

#[test]
fn the_schema_is_what_the_strictest_provider_takes() {
    fn check(schema: &Value) {
        let object = schema.as_object().unwrap();
        for key in object.keys() {
            assert!(
                ["type", "additionalProperties", "required", "properties"].contains(&key.as_str()),
                "{key}"
            );
        }
        if schema["type"] == "object" {
            assert_eq!(schema["additionalProperties"], json!(false));
            let properties = schema["properties"].as_object().unwrap();
            let mut required: Vec<&str> = schema["required"]
                .as_array()
                .unwrap()
                .iter()
                .map(|key| key.as_str().unwrap())
                .collect();
            required.sort_unstable();
            assert_eq!(
                required,
                properties.keys().map(String::as_str).collect::<Vec<_>>()
            );
            properties.values().for_each(check);
        }
    }
    let request = prompt(&brief(page()));
    assert_eq!(
        request.max_tokens, None,
        "how much is whoever set up the model's to say"
    );
    check(&request.schema.unwrap());
    assert!(
        request.turns[0].contains("\"limit\":255"),
        "the reserve is taken off: {}",
        request.turns[0]
    );
}

#[test]
fn two_targets_of_one_network_have_two_keys() {
    let mut brief = brief(page());
    brief.targets = vec![brief.targets[1].clone(), brief.targets[1].clone()];
    let schema = prompt(&brief).schema.unwrap();
    assert_eq!(
        schema["properties"]["texts"]["required"],
        json!(["x", "x_2"])
    );
}
