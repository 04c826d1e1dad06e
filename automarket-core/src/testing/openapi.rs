use std::path::PathBuf;

use bytes::Bytes;
use http::{Request, Response};
use serde_json::Value;

use super::form_parts;

const UNKNOWN: &str = " is unknown";

/// The official description `<name>.json` in the folder that `AUTOMARKET_SPECS` names; `None`, said plainly on standard
/// output, when it names none.
///
/// # Panics
/// When the folder is named and holds no such description.
#[must_use]
pub fn described(name: &str) -> Option<Value> {
    let Some(folder) = std::env::var_os("AUTOMARKET_SPECS") else {
        println!("skipped: AUTOMARKET_SPECS names no folder with the official descriptions");
        return None;
    };
    let path = PathBuf::from(folder).join(format!("{name}.json"));
    let read = std::fs::read(&path).map_err(|error| error.to_string());
    match read.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string())) {
        Ok(root) => Some(root),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// A platform's official API description (OpenAPI 3 in JSON), to hold requests and fakes against: a fake
/// written beside its connector can share its mistakes.
#[derive(Debug)]
pub struct Description {
    root: Value,
    prefix: &'static str,
}

impl Description {
    /// As [`described`]. `prefix` is what requests' paths have before the described ones.
    ///
    /// # Panics
    /// As [`described`].
    #[must_use]
    pub fn load(name: &str, prefix: &'static str) -> Option<Self> {
        described(name).map(|root| Self { root, prefix })
    }

    /// A description made up by a test.
    #[must_use]
    pub fn of(root: Value) -> Self {
        Self { root, prefix: "" }
    }

    /// Why a request does not follow the description; empty when it does.
    #[must_use]
    pub fn request_faults(&self, request: &Request<Bytes>) -> Vec<String> {
        let Some(operation) = self.operation(request) else {
            return vec![format!(
                "{} {} is not described",
                request.method(),
                request.uri().path()
            )];
        };
        let mut found = Vec::new();
        let parameters: Vec<&Value> = operation["parameters"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|parameter| self.resolved(parameter))
            .collect();
        for parameter in parameters
            .iter()
            .filter(|p| p["in"] == "header" && p["required"] == true)
        {
            let name = parameter["name"].as_str().unwrap_or_default();
            match request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
            {
                Some(value) => {
                    found.extend(self.faults(&parameter["schema"], &Value::from(value), name))
                }
                None => found.push(format!("the header {name} is missing")),
            }
        }
        for pair in request
            .uri()
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let name = pair.split('=').next().unwrap_or_default();
            if !parameters
                .iter()
                .any(|p| p["in"] == "query" && p["name"] == name)
            {
                found.push(format!("the query parameter {name} is unknown"));
            }
        }
        if let Some(names) = form_names(request) {
            let schema = operation.pointer("/requestBody/content/multipart~1form-data/schema");
            let schema = self.resolved(schema.unwrap_or(&Value::Null));
            for name in &names {
                if schema["properties"].get(name).is_none() {
                    found.push(format!("form: {name}{UNKNOWN}"));
                }
            }
            let required = schema["required"].as_array().into_iter().flatten();
            for name in required.filter_map(Value::as_str) {
                if !names.iter().any(|given| given == name) {
                    found.push(format!("form: {name} is missing"));
                }
            }
        } else if let Some(schema) =
            operation.pointer("/requestBody/content/application~1json/schema")
        {
            match serde_json::from_slice(request.body()) {
                Ok(body) => found.extend(self.faults(schema, &body, "body")),
                Err(error) => found.push(format!("the body is not JSON: {error}")),
            }
        }
        found
    }

    /// Why a JSON answer to a request does not follow the description of its status; empty when it does, or
    /// when nothing is said of it.
    #[must_use]
    pub fn reply_faults(&self, request: &Request<Bytes>, reply: &Response<Bytes>) -> Vec<String> {
        let place = format!(
            "/responses/{}/content/application~1json/schema",
            reply.status().as_u16()
        );
        let schema = self
            .operation(request)
            .and_then(|operation| operation.pointer(&place));
        match (schema, serde_json::from_slice(reply.body())) {
            // An answer may hold more than is described: platforms add to theirs at any time.
            (Some(schema), Ok(body)) => {
                let mut found = self.faults(schema, &body, "answer");
                found.retain(|fault| !fault.ends_with(UNKNOWN));
                found
            }
            _ => Vec::new(),
        }
    }

    /// What a reference means; anything else is itself.
    fn resolved<'a>(&'a self, value: &'a Value) -> &'a Value {
        value["$ref"]
            .as_str()
            .and_then(|target| self.root.pointer(target.trim_start_matches('#')))
            .unwrap_or(value)
    }

    fn operation(&self, request: &Request<Bytes>) -> Option<&Value> {
        let path = request.uri().path().strip_prefix(self.prefix)?;
        let method = request.method().as_str().to_lowercase();
        let paths = self.root.get("paths")?.as_object()?;
        // A path as it is wins over one with places in braces.
        let fitting = |(described, _): &(&String, &Value)| fits(described, path);
        let item = paths
            .get(path)
            .or_else(|| paths.iter().find(fitting).map(|(_, item)| item))?;
        item.get(method)
    }

    /// Why a value does not follow a schema. The part of JSON Schema that descriptions use; an object of a
    /// schema that names properties may hold no other, unless the schema allows more.
    #[must_use]
    pub fn faults(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        if let Some(target) = schema["$ref"].as_str() {
            return match self.root.pointer(target.trim_start_matches('#')) {
                Some(schema) => self.faults(schema, value, at),
                None => vec![format!("{at}: the description lacks {target}")],
            };
        }
        if let Some(any) = schema["anyOf"]
            .as_array()
            .or_else(|| schema["oneOf"].as_array())
        {
            let tries: Vec<_> = any.iter().map(|one| self.faults(one, value, at)).collect();
            return if tries.iter().any(Vec::is_empty) {
                Vec::new()
            } else {
                tries.concat()
            };
        }
        if let Some(all) = schema["allOf"].as_array() {
            return self.faults(&merged(&self.root, all), value, at);
        }
        let mut found = Vec::new();
        if let Some(allowed) = schema["enum"].as_array()
            && !allowed.contains(value)
        {
            found.push(format!("{at}: {value} is none of {allowed:?}"));
        }
        let nullable = schema["nullable"] == true && value.is_null();
        let kinds = &schema["type"];
        let fits = kinds.as_array().map_or_else(
            || is(kinds, value),
            |kinds| kinds.iter().any(|kind| is(kind, value)),
        );
        if !fits && !nullable {
            found.push(format!("{at}: not {kinds}"));
        }
        for name in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if value.is_object() && value.get(name).is_none() {
                found.push(format!("{at}: {name} is missing"));
            }
        }
        for (name, inner) in value.as_object().into_iter().flatten() {
            let place = format!("{at}.{name}");
            let named = schema["properties"].as_object();
            match (
                named.and_then(|properties| properties.get(name)),
                schema.get("additionalProperties"),
            ) {
                (Some(property), _) => found.extend(self.faults(property, inner, &place)),
                (None, Some(Value::Bool(true))) => {}
                (None, Some(more)) if more.is_object() => {
                    found.extend(self.faults(more, inner, &place))
                }
                (None, _) if named.is_some() => found.push(format!("{at}: {name}{UNKNOWN}")),
                (None, _) => {}
            }
        }
        for (index, item) in value.as_array().into_iter().flatten().enumerate() {
            if let Some(items) = schema.get("items") {
                found.extend(self.faults(items, item, &format!("{at}[{index}]")));
            }
        }
        found
    }
}

/// Whether a path is one of those that a described path with places (`/posts/{id}`) means.
fn fits(described: &str, path: &str) -> bool {
    let (mut described, mut path) = (described.split('/'), path.split('/'));
    loop {
        match (described.next(), path.next()) {
            (None, None) => return true,
            (Some(place), Some(part))
                if place == part || place.starts_with('{') && !part.is_empty() => {}
            _ => return false,
        }
    }
}

/// The names of a form's parts, where the request is one.
fn form_names(request: &Request<Bytes>) -> Option<Vec<String>> {
    let mime = request.headers().get("content-type")?.to_str().ok()?;
    let parts = form_parts(mime, request.body())?;
    Some(parts.into_iter().map(|part| part.name).collect())
}

fn is(kind: &Value, value: &Value) -> bool {
    match kind.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_i64() || value.is_u64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    }
}

/// The parts of an `allOf` as one schema: their properties and required names together.
fn merged(root: &Value, parts: &[Value]) -> Value {
    let mut whole = serde_json::json!({"type": "object", "properties": {}, "required": []});
    for part in parts {
        let part = part["$ref"]
            .as_str()
            .and_then(|target| root.pointer(target.trim_start_matches('#')))
            .unwrap_or(part);
        let part = part["allOf"]
            .as_array()
            .map_or_else(|| part.clone(), |inner| merged(root, inner));
        if let (Some(into), Some(from)) = (
            whole["properties"].as_object_mut(),
            part["properties"].as_object(),
        ) {
            into.extend(from.clone());
        }
        if let (Some(into), Some(from)) = (
            whole["required"].as_array_mut(),
            part["required"].as_array(),
        ) {
            into.extend(from.clone());
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_does_not_follow_is_named() {
        let root = json!({"paths": {"/posts": {"post": {"requestBody": {"content": {"application/json": {
            "schema": {"type": "object", "required": ["text"], "properties": {
                "text": {"type": "string"}, "kind": {"enum": ["a", "b"]},
                "tags": {"type": "array", "items": {"type": "string"}}}}}}}}},
            "/posts/{id}": {
                "get": {"parameters": [{"$ref": "#/components/parameters/fields"}]},
                "post": {"requestBody": {"content": {"multipart/form-data": {"schema": {
                    "required": ["media", "index"], "properties": {"media": {}, "index": {}}}}}}}}},
            "components": {"parameters": {"fields": {"in": "query", "name": "fields"}}}});
        let description = Description::of(root);
        let faults = |body: Value| {
            let request = Request::post("https://api.example.com/posts")
                .body(Bytes::from(body.to_string()))
                .unwrap();
            description.request_faults(&request)
        };
        assert_eq!(
            faults(json!({"text": "x", "kind": "a", "tags": ["t"]})),
            [""; 0]
        );
        let wrong = faults(json!({"kind": "c", "tags": [1], "unheard": 1}));
        for part in [
            "text is missing",
            "none of",
            "tags[0]: not",
            "unheard is unknown",
        ] {
            assert!(
                wrong.iter().any(|fault| fault.contains(part)),
                "{part}: {wrong:?}"
            );
        }
        let one = Request::get("https://api.example.com/posts/7?fields=a&other=b")
            .body(Bytes::new())
            .unwrap();
        assert_eq!(
            description.request_faults(&one),
            ["the query parameter other is unknown"]
        );
        let form = |names: [&str; 2]| {
            let (name, other) = (names[0], names[1]);
            let part = |name: &str| {
                format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n1\r\n")
            };
            let body = format!("{}{}--b--\r\n", part(name), part(other));
            let request = Request::post("https://api.example.com/posts/7")
                .header("content-type", "multipart/form-data; boundary=b")
                .body(Bytes::from(body))
                .unwrap();
            description.request_faults(&request)
        };
        assert_eq!(form(["media", "index"]), [""; 0]);
        let wrong = form(["media", "unheard"]);
        assert_eq!(
            wrong,
            ["form: unheard is unknown", "form: index is missing"]
        );
        let stray = Request::get("https://api.example.com/elsewhere")
            .body(Bytes::new())
            .unwrap();
        assert_eq!(description.request_faults(&stray).len(), 1);
    }
}
