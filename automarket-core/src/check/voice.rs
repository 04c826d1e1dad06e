//! What a brand says of its own texts.

use super::Finding;
use crate::{
    content::{Content, Voice},
    text::Words,
};

pub(super) fn check(content: &Content, text: &str, voice: &Voice, findings: &mut Vec<Finding>) {
    let disclosure = voice.disclosure.as_deref().map(str::trim);
    if voice.banned.is_empty() && disclosure.is_none() {
        return;
    }
    let mut texts = vec![("the text".to_owned(), Words::of(text))];
    for (number, part) in (2..).zip(&content.thread) {
        texts.push((format!("part {number}"), Words::of(part)));
    }
    if let Some(comment) = &content.first_comment {
        texts.push(("the first comment".to_owned(), Words::of(comment)));
    }
    for phrase in &voice.banned {
        for (what, _) in texts.iter().filter(|(_, words)| words.say(phrase)) {
            findings.push(Finding::blocker(
                "voice.banned",
                format!("{what} says \"{phrase}\", which the brand never does"),
                "Say it in other words",
            ));
        }
    }
    if let Some(disclosure) = disclosure
        && !disclosure.is_empty()
        && !texts
            .first()
            .is_some_and(|(_, words)| words.hold(disclosure))
    {
        findings.push(Finding::blocker(
            "voice.disclosure",
            format!("the text does not hold \"{disclosure}\""),
            format!("Add \"{disclosure}\""),
        ));
    }
}
