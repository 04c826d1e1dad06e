//! The library's pure parts, one JSON object per line in, one per line out: `cargo run --example probe`.
//!
//! For outside material (conformance suites, corpora, fuzzers, other languages). Every line is answered, a
//! wrong one with an error; the program ends with 0 at the end of its input and never dies.

mod oauth;
mod page;
#[cfg(test)]
mod tests;
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
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

fn main() -> io::Result<()> {
    // A panic would be a bug of ours; it is answered like any other error, and says nothing on stderr twice.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = io::stdout().lock();
    for line in io::stdin().lock().split(b'\n') {
        let line = line?;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        writeln!(out, "{}", answer(&line))?;
        out.flush()?;
    }
    Ok(())
}

fn answer(line: &[u8]) -> Value {
    let request: Value = match serde_json::from_slice(line) {
        Ok(request) => request,
        Err(error) => return failed(&Value::Null, "not_json", &error.to_string()),
    };
    let id = request["id"].clone();
    let Some(op) = request["op"].as_str() else {
        return failed(&id, "unknown_op", "a request names its op");
    };
    match catch_unwind(AssertUnwindSafe(|| run(op, &request))) {
        Ok(Some(Ok(reply))) => {
            let mut whole = Map::from_iter([("id".to_owned(), id), ("ok".to_owned(), json!(true))]);
            whole.extend(reply);
            Value::Object(whole)
        }
        Ok(Some(Err(error))) => {
            let code = error
                .rule()
                .unwrap_or_else(|| error.kind().as_str())
                .to_owned();
            failed(&id, &code, &error.to_string())
        }
        Ok(None) => failed(&id, "unknown_op", &format!("there is no op {op}")),
        Err(_) => failed(&id, "panic", "a bug: the operation panicked"),
    }
}

fn failed(id: &Value, code: &str, message: &str) -> Value {
    json!({"id": id, "ok": false, "error": {"code": code, "message": message}})
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
