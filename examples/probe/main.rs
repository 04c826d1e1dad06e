//! The library's pure parts, one JSON object per line in, one per line out: `cargo run --example probe`.
//!
//! For outside material (conformance suites, corpora, fuzzers, other languages). Every line is answered, a
//! wrong or empty one with an error; the program ends with 0 at the end of its input and never dies.

mod oauth;
mod page;
mod text;
mod time;
mod vault;
mod web;

use std::{
    io::{self, BufRead as _, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
};

use automarket::{Error, ErrorKind, Profile, Result, networks};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Deserializer, Map, Value, json};

fn main() -> io::Result<()> {
    // A panic would be a bug of ours; it is answered like any other error, and says nothing on stderr twice.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        writeln!(out, "{}", answer(&line))?;
        out.flush()?;
    }
    Ok(())
}

fn answer(line: &[u8]) -> String {
    let id = id(line).unwrap_or("null");
    let read = serde_json::from_slice(line);
    let request: Value = match read.or_else(|_| serde_json::from_slice(&whole(line))) {
        Ok(request) => request,
        Err(error) => {
            // Numbers and depths that no value of ours has are JSON all the same.
            let code = match serde_json::from_slice::<IgnoredAny>(line) {
                Ok(_) => ErrorKind::InvalidInput.as_str(),
                Err(_) => "not_json",
            };
            return failed(id, code, &error.to_string());
        }
    };
    let Some(op) = request["op"].as_str() else {
        return failed(id, "unknown_op", "a request names its op");
    };
    match catch_unwind(AssertUnwindSafe(|| run(op, &request))) {
        Ok(Some(Ok(reply))) => enveloped(id, true, reply),
        Ok(Some(Err(error))) => {
            let code = error.rule().unwrap_or_else(|| error.kind().as_str());
            failed(id, code, &error.to_string())
        }
        Ok(None) => failed(id, "unknown_op", &format!("there is no op {op}")),
        Err(_) => failed(id, "panic", "a bug: the operation panicked"),
    }
}

/// The line with half characters (`\ud800` alone) as U+FFFD: JSON may have them, a text of ours may not.
fn whole(line: &[u8]) -> Vec<u8> {
    let unit = |at: usize| {
        let digits = line.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let mut out = line.to_vec();
    let mut at = 0;
    while let Some(byte) = line.get(at) {
        at += match (byte, unit(at)) {
            (b'\\', Some(0xd800..=0xdbff)) if matches!(unit(at + 6), Some(0xdc00..=0xdfff)) => 12,
            (b'\\', Some(0xd800..=0xdfff)) => {
                out[at..at + 6].copy_from_slice(br"\ufffd");
                6
            }
            (b'\\', _) => 2,
            _ => 1,
        };
    }
    out
}

fn failed(id: &str, code: &str, message: &str) -> String {
    let error = json!({"code": code, "message": message});
    enveloped(id, false, Map::from_iter([("error".to_owned(), error)]))
}

fn enveloped(id: &str, ok: bool, mut reply: Reply) -> String {
    reply.insert("ok".to_owned(), json!(ok));
    let reply = Value::Object(reply).to_string();
    format!("{{\"id\":{id},{}", &reply[1..])
}

/// The id as it is written: it comes back the same, whatever number it is.
fn id(line: &[u8]) -> Option<&str> {
    let mut rest = std::str::from_utf8(line)
        .ok()?
        .trim_start()
        .strip_prefix('{')?;
    let mut found = None;
    loop {
        let mut values = Deserializer::from_str(rest).into_iter::<String>();
        let key = values.next()?.ok()?;
        let value = rest[values.byte_offset()..]
            .trim_start()
            .strip_prefix(':')?;
        let mut values = Deserializer::from_str(value).into_iter::<IgnoredAny>();
        values.next()?.ok()?;
        let (text, after) = value.split_at(values.byte_offset());
        if key == "id" {
            found = Some(text.trim());
        }
        match after.trim_start().strip_prefix(',') {
            Some(next) => rest = next,
            None => return found,
        }
    }
}

/// The fields of a reply.
type Reply = Map<String, Value>;

/// `None` for an op that there is not.
fn run(op: &str, request: &Value) -> Option<Result<Reply>> {
    Some(match op {
        "length" => text::length(request),
        "fit" => text::fit(request),
        "split" => text::split(request),
        "entities" => text::entities(request),
        "check" => text::check(request),
        "markdown" => text::markdown(request),
        "quote" => text::quote(request),
        "grounding" => text::grounding(request),
        "url" => web::url(request),
        "ip" => web::ip(request),
        "target" => web::target(request),
        "retry_after" => web::retry_after(request),
        "instant" => time::instant(request),
        "timetable" => time::timetable(request),
        "backoff" => time::backoff(request),
        "token_reply" => oauth::token_reply(request),
        "pkce" => oauth::pkce(request),
        "redirect_uri" => oauth::redirect_uri(request),
        "callback" => oauth::callback(request),
        "extract" => page::extract(request),
        "sanitize" => page::sanitize(request),
        "seal" => vault::seal(request),
        "open" => vault::open(request),
        _ => return None,
    })
}

/// Reads the fields of a request.
fn input<T: DeserializeOwned>(request: &Value) -> Result<T> {
    T::deserialize(request).map_err(|error| Error::invalid("request", error.to_string()))
}

/// Writes the fields of a reply.
fn reply(value: Value) -> Result<Reply> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(Error::new(ErrorKind::Internal, "a reply is an object")),
    }
}

fn bytes(base64: &str) -> Result<Vec<u8>> {
    STANDARD
        .decode(base64)
        .map_err(|error| Error::invalid("base64", "not base64").with_source(error))
}

/// The profile of a network by its id, or by the name that another system gives it.
fn profile(network: &str) -> Result<Profile> {
    networks::from_alias(network)
        .and_then(|platform| networks::profile(&platform))
        .ok_or_else(|| {
            Error::invalid("platform", format!("nothing is known of {network}"))
                .with_rule("unknown_platform")
        })
}
