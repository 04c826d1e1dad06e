//! What the fakes of Meta's platforms share: taking requests apart, answering as the Graph API does, and the
//! official descriptions of its nodes.

use std::collections::{BTreeMap, BTreeSet};

use automarket_core::{
    Bytes, Secret, Url,
    http_types::{HeaderValue, Method, Request, Response, header},
    testing::{Fault, described, form_parts, json_reply},
};
use serde_json::{Value, json};

use crate::appsecret_proof;

/// A request taken apart. Parameters may stand in the query, in JSON or in a form; it is all the same to Meta.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The host.
    pub host: String,
    /// The version, the first part of the path.
    pub version: String,
    /// The other parts of the path.
    pub path: Vec<String>,
    /// The parameters; what is no text is JSON.
    pub params: BTreeMap<String, String>,
    /// How large its files are, by name.
    pub files: BTreeMap<String, usize>,
    /// The token.
    pub token: String,
}

impl Asked {
    /// Takes a request apart.
    #[must_use]
    pub fn of(request: &Request<Bytes>) -> Self {
        let url = Url::parse(&request.uri().to_string()).ok();
        let mut params: BTreeMap<String, String> = BTreeMap::new();
        if let Some(url) = &url {
            params.extend(url.query_pairs().into_owned());
        }
        let mut files = BTreeMap::new();
        let typed = text(request, header::CONTENT_TYPE.as_str());
        for part in form_parts(typed, request.body()).unwrap_or_default() {
            if part.file_name.is_some() {
                files.insert(part.name, part.bytes.len());
            } else {
                let value = String::from_utf8_lossy(part.bytes).into_owned();
                params.insert(part.name, value);
            }
        }
        if typed == "application/json"
            && let Ok(Value::Object(body)) = serde_json::from_slice(request.body())
        {
            let named = body.into_iter().map(|(name, value)| match value {
                Value::String(text) => (name, text),
                other => (name, other.to_string()),
            });
            params.extend(named);
        }
        let mut path: Vec<String> = request
            .uri()
            .path()
            .split('/')
            .skip(1)
            .map(str::to_owned)
            .collect();
        let version = if path.is_empty() {
            String::new()
        } else {
            path.remove(0)
        };
        Self {
            method: request.method().clone(),
            host: request.uri().host().unwrap_or_default().to_owned(),
            version,
            path,
            token: token(request).to_owned(),
            params,
            files,
        }
    }

    /// A parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&str> {
        self.params.get(name).map(String::as_str)
    }

    /// Whether a field is asked for.
    #[must_use]
    pub fn wants(&self, field: &str) -> bool {
        fields(self.param("fields").unwrap_or_default()).contains(field)
    }
}

/// The token that a request comes with.
#[must_use]
pub fn token(request: &Request<Bytes>) -> &str {
    let value = text(request, header::AUTHORIZATION.as_str());
    let token = value.strip_prefix("Bearer ");
    token
        .or_else(|| value.strip_prefix("OAuth "))
        .unwrap_or_default()
}

fn text<'a>(request: &'a Request<Bytes>, name: &str) -> &'a str {
    let value = request.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// The names of the outermost fields of `a,b{c,d},e.summary(f)`.
fn fields(list: &str) -> BTreeSet<String> {
    let mut depth = 0;
    let mut names = BTreeSet::new();
    let mut name = String::new();
    for c in list.chars() {
        match c {
            '{' | '(' => depth += 1,
            '}' | ')' => depth -= 1,
            ',' if depth == 0 => {
                names.insert(std::mem::take(&mut name));
            }
            c if depth == 0 => name.push(c),
            _ => {}
        }
    }
    names.insert(name);
    names
        .iter()
        .filter_map(|name| name.split('.').next())
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

/// A refusal: status and body.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The body.
    pub body: Value,
}

impl Refusal {
    /// As it is answered.
    #[must_use]
    pub fn reply(&self) -> Response<Bytes> {
        json_reply(self.status, &self.body)
    }
}

/// Meta's refusal.
#[must_use]
pub fn refusal(status: u16, code: i64, subcode: i64, message: &str) -> Refusal {
    let transient = matches!(code, 1 | 2 | 4 | 17 | 32 | 613);
    let mut error = json!({
        "message": format!("(#{code}) {message}"),
        "type": "OAuthException",
        "code": code,
        "is_transient": transient,
        "fbtrace_id": "AsandboxTrace",
    });
    if subcode != 0 {
        error["error_subcode"] = json!(subcode);
    }
    Refusal {
        status,
        body: json!({"error": error}),
    }
}

/// What a fake answers; a refusal is an error here.
pub type Answer = std::result::Result<Response<Bytes>, Refusal>;

/// Meta's refusal of a parameter.
#[must_use]
pub fn invalid(message: &str) -> Refusal {
    refusal(400, 100, 0, message)
}

/// Meta's refusal of a node that is not there, or not for this token.
#[must_use]
pub fn missing(id: &str) -> Refusal {
    let message = format!(
        "Unsupported get request. Object with ID '{id}' does not exist, cannot be loaded due to missing \
         permissions, or does not support this operation"
    );
    refusal(400, 100, 33, &message)
}

/// Meta's demand of an app's proof: which call comes without it, or with that of another secret.
///
/// # Errors
/// Meta's refusals of both.
pub fn proven(asked: &Asked, app_secret: Option<&str>) -> std::result::Result<(), Refusal> {
    let Some(secret) = app_secret else {
        return Ok(());
    };
    let proof = appsecret_proof(&Secret::new(&asked.token), &Secret::new(secret));
    match asked.param("appsecret_proof") {
        Some(said) if said == proof.expose() => Ok(()),
        Some(_) => Err(invalid(
            "Invalid appsecret_proof provided in the API argument",
        )),
        None => Err(invalid(
            "API calls from the server require an appsecret_proof argument",
        )),
    }
}

/// The answer with the headers that each of Meta's has: the version that answered and what is used.
#[must_use]
pub fn signed(mut reply: Response<Bytes>, version: &str, usage: &str) -> Response<Bytes> {
    for (name, value) in [("facebook-api-version", version), ("x-app-usage", usage)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            reply.headers_mut().insert(name, value);
        }
    }
    reply
}

/// A page of a list, with a cursor when there is more.
#[must_use]
pub fn page(asked: &Asked, all: &[Value]) -> Response<Bytes> {
    let number = |name: &str| asked.param(name).and_then(|text| text.parse().ok());
    let skip: usize = number("after").unwrap_or(0);
    let size: usize = number("limit").unwrap_or(25).min(100);
    let data: Vec<&Value> = all.iter().skip(skip).take(size).collect();
    let end = skip + data.len();
    let mut paging = json!({"cursors": {"before": skip.to_string(), "after": end.to_string()}});
    if end < all.len() {
        paging["next"] = json!(format!(
            "https://{}/next?access_token=leak-canary",
            asked.host
        ));
    }
    json_reply(200, &json!({"data": data, "paging": paging}))
}

/// What a user was asked for, and said to each of it.
#[must_use]
pub fn permissions(asked: &Asked, scopes: &[&str], declined: &[String]) -> Response<Bytes> {
    let status = |scope: &str| {
        if declined.iter().any(|declined| declined == scope) {
            "declined"
        } else {
            "granted"
        }
    };
    let all: Vec<Value> = scopes
        .iter()
        .map(|scope| json!({"permission": scope, "status": status(scope)}))
        .collect();
    page(asked, &all)
}

/// What Meta answers while it is in trouble, or an app, a user or a page asked too often: nothing happened.
#[must_use]
pub fn passing_troubles() -> Vec<Fault> {
    vec![
        Fault::Reply(
            500,
            r#"{"error":{"message":"An unknown error occurred","code":1}}"#,
        ),
        Fault::Reply(
            400,
            r#"{"error":{"message":"(#4) Application request limit reached","code":4}}"#,
        ),
        Fault::Reply(
            403,
            r#"{"error":{"message":"(#17) User request limit reached","code":17}}"#,
        ),
        Fault::Reply(
            400,
            r#"{"error":{"message":"(#32) Page request limit reached","code":32}}"#,
        ),
        Fault::Reply(
            400,
            r#"{"error":{"message":"(#613) Calls to this api have exceeded the rate limit","code":613}}"#,
        ),
    ]
}

/// Meta's own descriptions of its nodes, of the version before the one we speak: nodes, their edges, what
/// these take and what they answer.
#[derive(Debug)]
pub struct Nodes(Value);

impl Nodes {
    /// As [`described`].
    ///
    /// # Panics
    /// As [`described`].
    #[must_use]
    pub fn load(name: &str) -> Option<Self> {
        described(name).map(Self)
    }

    /// Why a request to a node (or an edge of it, the last part of the path) does not follow the description;
    /// empty when it does. `also` are parameters that only the documentation has.
    #[must_use]
    pub fn request_faults(
        &self,
        node: &str,
        edge: Option<&str>,
        asked: &Asked,
        also: &[&str],
    ) -> Vec<String> {
        // What every call takes.
        const COMMON: [&str; 7] = [
            "fields",
            "limit",
            "after",
            "since",
            "until",
            "access_token",
            "appsecret_proof",
        ];
        let name = format!("{} {node} {}", asked.method, edge.unwrap_or_default());
        let Some(call) = self.call(node, edge, &asked.method) else {
            return vec![format!("{name} is not described")];
        };
        let described: Vec<&Value> = call["params"].as_array().into_iter().flatten().collect();
        let mut found = Vec::new();
        for param in asked.params.keys().chain(asked.files.keys()) {
            let known = COMMON.contains(&param.as_str())
                || also.contains(&param.as_str())
                || described.iter().any(|known| known["name"] == **param);
            if !known {
                found.push(format!("{name}: {param} is unknown"));
            }
        }
        for param in described.iter().filter(|param| param["required"] == true) {
            let required = param["name"].as_str().unwrap_or_default();
            if !asked.params.contains_key(required) {
                found.push(format!("{name}: {required} is missing"));
            }
        }
        let answers = call["return"].as_str().unwrap_or_default();
        for field in fields(asked.param("fields").unwrap_or_default()) {
            if !self.has(answers, &field) {
                found.push(format!("{name}: {answers} has no {field}"));
            }
        }
        found
    }

    fn call(&self, node: &str, edge: Option<&str>, method: &Method) -> Option<&Value> {
        let calls = self.0["specs"][node]["apis"].as_array()?;
        calls
            .iter()
            .find(|call| call["method"] == method.as_str() && call["endpoint"].as_str() == edge)
    }

    /// A field, or an edge that is read as one. Nodes that are not described have any.
    fn has(&self, node: &str, field: &str) -> bool {
        let node = &self.0["specs"][node];
        let named = |list: &Value, name: &str| {
            let list = list.as_array().into_iter().flatten();
            list.filter_map(|one| one[name].as_str())
                .any(|name| name == field)
        };
        node.is_null() || named(&node["fields"], "name") || named(&node["apis"], "endpoint")
    }
}
