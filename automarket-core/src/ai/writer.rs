use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;

use super::{
    Brief, Completion, Draft, Drafts, LanguageModel, ModelRequest, StopReason, Usage,
    grounding::GroundingSource,
    prompt,
    prompt::{data, keys, limit},
    source_text,
};
use crate::{Context, Error, ErrorKind, Result, Retry, blocking, hash::sha256, text::Words};

/// How often a model is told what is wrong with its answer.
const REPAIRS: u32 = 2;

/// Characters of an unreadable answer that are kept in the error.
const KEPT: usize = 512;

/// Findings that a model is told of at the most.
const TOLD: usize = 20;

/// Asks a model for the texts of a brief and, at most twice, to repair what is wrong: an answer that is no
/// JSON of the schema, a text over its limit, a banned word, a figure, name or address that the page does not hold
/// ([`ungrounded`](super::ungrounded)). When the repairs are used up, or one is refused for good, the last answer that
/// could be read is returned as it is: the checks that every text passes will say what is left. `name` is the generator's
/// name in the result.
///
/// Each turn is a remembered [step](crate::steps::step) whose name holds the generator's name and the prompt's
/// hash, so an answer that arrived is never paid for twice. Calling again asks again for one that was cut off, or was on
/// its way when the process died, and may have been paid for; and for the one that ended it for good: a model that
/// declined, stopped early or could not be read may do better, or be another by then. Asking has no effect but its
/// price, so that is taken over being stuck. How often one whose answer is lost is asked for is the caller's to say. The
/// usage is that of all answers that arrived.
///
/// # Errors
/// `InvalidInput` (`targets`, `page`) when there is nobody to write for or nothing to write about;
/// `ContentRefused` when the model declines; `Truncated` when it stopped early; `UnexpectedReply` with
/// [`Error::body`] holding the beginning of the answer when none could be read; those of
/// [`LanguageModel::complete`], of a repair only those that may pass and our own.
pub async fn write_with(
    model: &dyn LanguageModel,
    name: &str,
    cx: &Context,
    brief: &Brief,
) -> Result<Drafts> {
    writable(brief)?;
    let mut request = prompt(brief);
    let hash = hash(&request)?;
    let page = brief.page.clone();
    let source = blocking(move || GroundingSource::new(&source_text(&page.bounded()))).await?;
    let mut usage = Usage::default();
    let mut readable = None;
    let mut repairs = 0;
    let steps = format!("ai.{name}.{}", hash.get(..16).unwrap_or(&hash));
    for turn in 0..=REPAIRS {
        let step = format!("{steps}.turn.{turn}");
        let ask = || async {
            let answer = model.complete(cx, &request).await?;
            let end = match whole(&answer) {
                _ if readable.is_some() => Ok(()),
                Ok(()) if turn == REPAIRS && decode(brief, &answer.text).is_err() => {
                    Err(unreadable(&answer.text))
                }
                end => end,
            };
            // What ends it for good is not kept, for whoever tries again asks again; but it was paid for.
            match end {
                Ok(()) => Ok(answer),
                Err(error) => {
                    spend(cx, &steps, answer.usage).await?;
                    Err(error)
                }
            }
        };
        let answer = match cx.step(&step, ask).await {
            // What was paid for stands, though its repair cannot be asked for.
            Err(error) if readable.is_some() && is_final(&error) => {
                tracing::warn!(generator = name, %error, "a text goes on without its repair");
                break;
            }
            answer => answer?,
        };
        repairs = turn;
        usage += answer.usage;
        // What came before still stands.
        if whole(&answer).is_err() {
            break;
        }
        let problems = match decode(brief, &answer.text) {
            Ok(texts) => {
                let problems = review(brief, &source, &texts);
                readable = Some(texts.into_drafts(brief, name, &answer.model));
                problems
            }
            Err(problem) => vec![problem],
        };
        if problems.is_empty() {
            break;
        }
        // APIs refuse a turn that says nothing.
        request.turns.push(match answer.text.trim() {
            "" => "{}".to_owned(),
            _ => answer.text,
        });
        request.turns.push(repair(&problems));
    }
    let mut drafts = readable.ok_or_else(|| unreadable(""))?;
    for turn in spent(cx, &steps).await? {
        usage += turn;
    }
    drafts.usage = usage;
    drafts.repairs = repairs;
    drafts.prompt_hash = Some(hash);
    Ok(drafts)
}

/// What the answers cost that ended it for good, in all attempts until now.
async fn spent(cx: &Context, steps: &str) -> Result<Vec<Usage>> {
    let mut all = Vec::new();
    while let Some(usage) = cx.ended(&spent_step(steps, all.len())).await? {
        all.push(usage);
    }
    Ok(all)
}

async fn spend(cx: &Context, steps: &str, usage: Usage) -> Result<()> {
    let earlier = spent(cx, steps).await?.len();
    let step = spent_step(steps, earlier);
    cx.step(&step, || async { Ok(usage) }).await.map(drop)
}

fn spent_step(steps: &str, number: usize) -> String {
    format!("{steps}.spent.{number}")
}

fn unreadable(answer: &str) -> Error {
    let message =
        "the model's answer is not the JSON that was asked for, and was not after two repairs";
    Error::new(ErrorKind::UnexpectedReply, message)
        .with_rule("generation.unreadable")
        .with_remedy("try another model, or write the texts by hand")
        .with_body(excerpt(answer))
}

/// Whether there is somebody to write for and something to write about.
pub(super) fn writable(brief: &Brief) -> Result<()> {
    let page = &brief.page;
    let title = page.title.as_deref().unwrap_or_default();
    if brief.targets.is_empty() {
        return Err(Error::invalid(
            "targets",
            "there is no network to write for",
        ));
    }
    let says = |text: &str| super::sentences::clean(text).contains(char::is_alphanumeric);
    if !says(title) && !says(&page.text) {
        return Err(Error::invalid(
            "page",
            "a page without title and text cannot be written about",
        )
        .with_rule("page.empty"));
    }
    Ok(())
}

/// Whether a model will never answer, and that is no trouble of ours.
fn is_final(error: &Error) -> bool {
    use ErrorKind::{Config, Internal, LeaseLost, Storage};
    let ours = matches!(error.kind(), Config | Internal | LeaseLost | Storage);
    error.retry() == Retry::Never && !ours
}

fn whole(answer: &Completion) -> Result<()> {
    match &answer.stop {
        StopReason::Done => Ok(()),
        StopReason::Truncated => Err(Error::new(
            ErrorKind::Truncated,
            "the model stopped before the end of its answer",
        )
        .with_remedy("allow the model more tokens, or give it a shorter page")
        .with_body(excerpt(&answer.text))),
        StopReason::Refused(why) => Err(Error::new(
            ErrorKind::ContentRefused,
            match why {
                Some(why) => format!("the model declines to write about this page: {why}"),
                None => "the model declines to write about this page".to_owned(),
            },
        )
        .with_body(excerpt(&answer.text))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    name: String,
    description: String,
    texts: BTreeMap<String, String>,
}

/// Reads an answer, or says for the model what is wrong with it.
fn decode(brief: &Brief, text: &str) -> Result<Answer, String> {
    let answer: Answer = serde_json::from_str(text)
        .map_err(|error| format!("The answer is not a JSON object of the schema: {error}."))?;
    let keys = keys(brief);
    for key in &keys {
        if answer
            .texts
            .get(key)
            .is_none_or(|text| text.trim().is_empty())
        {
            return Err(format!("The text of the target {key} is missing."));
        }
    }
    match answer.texts.keys().find(|key| !keys.contains(key)) {
        Some(_) => Err("\"texts\" holds a key that is no target.".to_owned()),
        None => Ok(answer),
    }
}

/// What is wrong with texts that can be read.
fn review(brief: &Brief, source: &GroundingSource, answer: &Answer) -> Vec<String> {
    let mut problems = Vec::new();
    for (at, (key, target)) in keys(brief).iter().zip(&brief.targets).enumerate() {
        let Some(text) = answer.texts.get(key) else {
            continue;
        };
        let length = crate::text::length(text.trim(), &target.text);
        if let Some(limit) = limit(brief, at)
            && length > limit
        {
            let over = length - limit;
            problems.push(format!("{key} is {over} over its limit of {limit}."));
        }
        for claim in source.ungrounded(text) {
            let words = data(&json!(claim.text.chars().take(80).collect::<String>()));
            problems.push(format!("{key} says {words}, which the page does not."));
        }
        let words = Words::of(text);
        for banned in &brief.voice.banned {
            if words.say(banned) {
                problems.push(format!(
                    "{key} uses {}, which is banned.",
                    data(&json!(banned))
                ));
            }
        }
    }
    problems.truncate(TOLD);
    problems
}

fn repair(problems: &[String]) -> String {
    format!(
        "That answer cannot be used as it is:\n- {}\nAnswer again with the whole JSON object, everything else \
         unchanged.",
        problems.join("\n- ")
    )
}

impl Answer {
    fn into_drafts(mut self, brief: &Brief, generator: &str, model: &str) -> Drafts {
        let texts = keys(brief)
            .iter()
            .zip(&brief.targets)
            .map(|(key, target)| Draft {
                network: target.platform.clone(),
                text: self.texts.remove(key).unwrap_or_default().trim().to_owned(),
            })
            .collect();
        Drafts {
            name: self.name,
            description: self.description,
            texts,
            generator: generator.to_owned(),
            model: Some(model.to_owned()),
            prompt_hash: None,
            usage: Usage::default(),
            repairs: 0,
        }
    }
}

fn hash(request: &ModelRequest) -> Result<String> {
    let bytes = serde_json::to_vec(request).map_err(|error| {
        Error::new(ErrorKind::Internal, "the prompt cannot be written as JSON").with_source(error)
    })?;
    Ok(sha256(bytes))
}

fn excerpt(text: &str) -> String {
    text.chars()
        .take(KEPT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
