//! Composite values as they are kept: this is done before anything is compared.

use automarket_core::Url;
use serde_json::{Value, json};

use super::{
    Record, Refusal,
    schema::{Object, parts},
};

/// Calling codes that it knows, with a country of each.
const CALLING: [(&str, &str); 3] = [("+49", "DE"), ("+44", "GB"), ("+1", "US")];

pub(super) fn kept(object: &Object, mut body: Record, old: bool) -> Result<Record, Refusal> {
    for field in &object.fields {
        let Some(Value::Object(value)) = body.get_mut(&field.name) else {
            continue;
        };
        match field.kind.as_str() {
            "EMAILS" => emails(value, old),
            "LINKS" => links(value),
            "PHONES" if !old => phones(value)?,
            _ => {}
        }
    }
    Ok(body)
}

/// Lays a body over a record: parts of composite fields that it leaves out stay.
pub(super) fn lay(object: &Object, record: &mut Record, body: Record) {
    for (name, value) in body {
        let composite = object.fields.iter().find(|field| field.name == name);
        let composite = composite.is_some_and(|field| parts(&field.kind).is_some());
        match (record.get_mut(&name), value) {
            (Some(Value::Object(there)), Value::Object(parts)) if composite => there.extend(parts),
            (_, value) => {
                record.insert(name, value);
            }
        }
    }
}

/// Parts that are left out stay, but the primary address.
fn emails(value: &mut Record, old: bool) {
    let primary = value.entry("primaryEmail").or_insert(Value::Null);
    if let Value::String(text) = primary {
        *text = email(text, old);
    }
    if let Some(further) = value.get_mut("additionalEmails") {
        match further {
            Value::Array(items) if items.is_empty() => *further = Value::Null,
            Value::Array(items) => {
                for item in items {
                    if let Value::String(text) = item {
                        *text = email(text, old);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Label and further links that are left out go; the further ones are taken as a JSON text alone.
fn links(value: &mut Record) {
    if let Some(Value::String(text)) = value.get_mut("primaryLinkUrl") {
        *text = link(text);
    }
    value.entry("primaryLinkLabel").or_insert(Value::Null);
    let further = value.get("secondaryLinks").and_then(Value::as_str);
    let further = further.and_then(|text| serde_json::from_str(text).ok());
    value.insert("secondaryLinks".into(), further.unwrap_or(json!([])));
}

/// The number is parsed and kept without its calling code. Codes that are left out are those of the number, others stay:
/// an empty one, too. Further numbers that are left out go.
fn phones(value: &mut Record) -> Result<(), Refusal> {
    value.entry("additionalPhones").or_insert(Value::Null);
    let text = |name: &str| value.get(name)?.as_str().map(str::to_owned);
    let number = text("primaryPhoneNumber").unwrap_or_default();
    if number.is_empty() {
        return Ok(());
    }
    let given = text("primaryPhoneCallingCode").filter(|code| !code.is_empty());
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let whole = match (number.starts_with('+'), &given) {
        (true, _) => format!("+{digits}"),
        (false, Some(code)) => format!("{code}{digits}"),
        (false, None) => String::new(),
    };
    let known = CALLING.iter().find(|(code, _)| whole.starts_with(code));
    let Some((code, country)) = known else {
        let message = format!("Provided phone number is invalid {number}");
        return Err(Refusal::bad(message));
    };
    if given.is_some_and(|given| given != *code) {
        let message = "Provided and inferred calling code are conflicting";
        return Err(Refusal::bad(message));
    }
    for (name, inferred) in [
        ("primaryPhoneCallingCode", code),
        ("primaryPhoneCountryCode", country),
    ] {
        let kept = value.entry(name).or_insert(Value::Null);
        if kept.is_null() {
            *kept = json!(inferred);
        }
    }
    let national = whole.strip_prefix(code).unwrap_or_default();
    value.insert("primaryPhoneNumber".into(), json!(national));
    Ok(())
}

/// In lower case; current servers write the domain as people read it, without a dot at its end.
fn email(text: &str, old: bool) -> String {
    let lower = text.to_lowercase();
    let read = || {
        let (local, domain) = lower.split_once('@')?;
        let url = Url::parse(&format!("https://{}", domain.trim_end_matches('.'))).ok()?;
        let origin = url.origin().unicode_serialization();
        Some(format!("{local}@{}", origin.strip_prefix("https://")?))
    };
    read().filter(|_| !old).unwrap_or(lower)
}

/// The origin in ASCII, without a slash at the end. What has no scheme is kept as it came.
fn link(text: &str) -> String {
    let kept = || {
        let origin = Url::parse(text).ok()?.origin().ascii_serialization();
        let (_, rest) = text.split_once("://")?;
        let path = rest.find(['/', '?', '#']).and_then(|at| rest.get(at..));
        let whole = origin + path.unwrap_or_default();
        Some(whole.strip_suffix('/').unwrap_or(&whole).to_owned())
    };
    kept().unwrap_or_else(|| text.to_owned())
}
