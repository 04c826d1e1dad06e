//! One pure function per endpoint.

use automarket_core::{
    Context, Error, ErrorKind, Result, Secret, Url,
    http::{Call, Reply, segment},
    http_types::Method,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use crate::{PLATFORM, TwentyConfig, error, rows::invalid};

/// Records of one batch and of one page: documented for the batch, the default of the page.
pub(crate) const MAX_BATCH: usize = 60;

/// Deleted ones, too, which an upsert brings back: they are left out unless the filter names `deletedAt`.
const COMPANIES_BY_DOMAIN: &str = "query($values:[String!]!,$after:String){companies(filter:{and:[{domainName:{primaryLinkUrl:{in:$values}}},{or:[{deletedAt:{is:NULL}},{deletedAt:{is:NOT_NULL}}]}]},first:60,after:$after){edges{node{id deletedAt domainName{primaryLinkUrl primaryLinkLabel secondaryLinks}}} pageInfo{hasNextPage endCursor}}}";

/// Composite fields of a person, with the parts that an update sends along.
const COMPOSITES: [(&str, &str); 3] = [
    ("name", "name{firstName lastName}"),
    (
        "phones",
        "phones{primaryPhoneNumber primaryPhoneCallingCode additionalPhones}",
    ),
    (
        "linkedinLink",
        "linkedinLink{primaryLinkLabel primaryLinkUrl secondaryLinks}",
    ),
];

/// Postgres takes no NUL, and the refusal would not say that it is the record's fault.
fn storable(value: &Value) -> Result<()> {
    fn holds_nul(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(holds_nul),
            Value::Object(fields) => fields.values().any(holds_nul),
            _ => false,
        }
    }
    if holds_nul(value) {
        return Err(invalid("fields", "a text holds a NUL character"));
    }
    Ok(())
}

/// A text as `LIKE` takes it by its letters.
fn literal(text: &str) -> String {
    text.replace('%', "\\%").replace('_', "\\_")
}

/// The query for people.
fn people(declared: &str, filter: &str, written: &[&str]) -> String {
    let parts: String = COMPOSITES
        .iter()
        .filter(|(name, _)| written.contains(name))
        .map(|(_, parts)| format!(" {parts}"))
        .collect();
    format!(
        "query({declared},$after:String){{people(filter:{{{filter}}},first:60,after:$after){{edges{{node{{id deletedAt emails{{primaryEmail additionalEmails}}{parts}}}}} pageInfo{{hasNextPage endCursor}}}}}}"
    )
}

/// A workspace: where it is, and the key to it.
pub(crate) struct Site {
    pub(crate) base: String,
    host: String,
    token: Secret,
}

impl Site {
    pub(crate) fn of(cx: &Context, config: &TwentyConfig) -> Result<Self> {
        let named = |error: Error| error.with_platform(&PLATFORM);
        let config = config.of(cx)?;
        Ok(Self {
            base: config.base()?,
            host: config.host().to_owned(),
            token: cx.token().map_err(named)?.clone(),
        })
    }

    /// The workspace's id, read from the key without verifying it; the host's name where it cannot be.
    pub(crate) fn workspace(&self) -> String {
        let id = || {
            let payload = self.token.expose().split('.').nth(1)?;
            let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
            let claims: Value = serde_json::from_slice(&bytes).ok()?;
            let id = claims["workspaceId"].as_str()?;
            let plain = (1..=100).contains(&id.len())
                && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
            plain.then(|| id.to_owned())
        };
        id().unwrap_or_else(|| self.host.clone())
    }

    /// Sends a call and sorts out what is no success.
    pub(crate) async fn send(&self, cx: &Context, call: Call) -> Result<Reply> {
        let reply = cx
            .call(call)
            .await
            .map_err(|error| error.with_platform(&PLATFORM))?;
        if reply.ok() {
            Ok(reply)
        } else {
            Err(error::classify(&reply, cx.now()))
        }
    }

    /// Sends an upsert. Twenty looks for the record before it writes, so one that somebody else creates in
    /// between is answered as a duplicate: asked once more, it is found.
    pub(crate) async fn send_upsert(&self, cx: &Context, call: Call) -> Result<Reply> {
        match self.send(cx, call.clone()).await {
            Err(error) if error.kind() == ErrorKind::Duplicate => self.send(cx, call).await,
            reply => reply,
        }
    }

    pub(crate) fn list(&self, plural: &str, query: &[(&str, &str)]) -> Result<Call> {
        let query: Vec<_> = query.iter().copied().chain([("depth", "0")]).collect();
        let path = format!("/rest/{}", segment(plural)?);
        self.call("records.list", Method::GET, &path, &query)
    }

    /// Creates or updates one record; repeating it changes nothing.
    pub(crate) fn upsert(&self, plural: &str, row: &Value) -> Result<Call> {
        storable(row)?;
        let path = format!("/rest/{}", segment(plural)?);
        self.call("records.upsert", Method::POST, &path, &[("upsert", "true")])?
            .repeatable()
            .json(row)
    }

    /// Creates or updates up to [`MAX_BATCH`] records, all or none; repeating it changes nothing.
    pub(crate) fn upsert_batch(&self, plural: &str, rows: &Value) -> Result<Call> {
        storable(rows)?;
        let path = format!("/rest/batch/{}", segment(plural)?);
        self.call("records.batch", Method::POST, &path, &[("upsert", "true")])?
            .repeatable()
            .json(rows)
    }

    /// Always soft: without the parameter the record would be destroyed.
    pub(crate) fn archive(&self, plural: &str, id: &str) -> Result<Call> {
        let path = format!("/rest/{}/{}", segment(plural)?, segment(id)?);
        let soft = [("soft_delete", "true")];
        self.call("records.archive", Method::DELETE, &path, &soft)
    }

    pub(crate) fn objects(&self, after: Option<&str>) -> Result<Call> {
        let mut query = vec![("limit", "1000")];
        query.extend(after.map(|after| ("starting_after", after)));
        self.call(
            "objects.list",
            Method::GET,
            "/rest/metadata/objects",
            &query,
        )
    }

    /// Names are unique, so a repeated creation is refused as existing.
    pub(crate) fn create_object(&self, object: &Value) -> Result<Call> {
        self.call(
            "objects.create",
            Method::POST,
            "/rest/metadata/objects",
            &[],
        )?
        .repeatable()
        .json(object)
    }

    /// As [`create_object`](Self::create_object).
    pub(crate) fn create_field(&self, field: &Value) -> Result<Call> {
        self.call("fields.create", Method::POST, "/rest/metadata/fields", &[])?
            .repeatable()
            .json(field)
    }

    /// People whose primary address is one of these, also deleted ones, with those composite fields that are to be written: a
    /// workspace may have switched the others off. Addresses travel as variables, so they are data whatever they hold.
    pub(crate) fn people_by_email(
        &self,
        emails: &[String],
        written: &[&str],
        after: Option<&str>,
    ) -> Result<Call> {
        let filter = "and:[{emails:{primaryEmail:{in:$values}}},{or:[{deletedAt:{is:NULL}},{deletedAt:{is:NOT_NULL}}]}]";
        let query = people("$values:[String!]!", filter, written);
        let variables = json!({"values": emails, "after": after});
        self.graphql("people.lookup", &query, &variables)
    }

    /// People with one of these as a further address, but deleted ones. Those are a list: what is found is to be compared exactly.
    /// `like` stands in the query itself, so that a server that does not know it says so by these words.
    pub(crate) fn people_by_further_email(
        &self,
        emails: &[String],
        written: &[&str],
        after: Option<&str>,
    ) -> Result<Call> {
        let names: Vec<String> = (0..emails.len()).map(|at| format!("like{at}")).collect();
        let each = |text: fn(&String) -> String| names.iter().map(text).collect::<Vec<_>>();
        let declared = each(|name| format!("${name}:String")).join(",");
        let ways = each(|name| format!("{{emails:{{additionalEmails:{{like:${name}}}}}}}"));
        let filter = format!("or:[{}]", ways.join(","));
        let likes = emails
            .iter()
            .map(|email| json!(format!("%\"{}\"%", literal(email))));
        let mut variables: Map<String, Value> = names.iter().cloned().zip(likes).collect();
        variables.insert("after".into(), json!(after));
        let query = people(&declared, &filter, written);
        self.graphql("people.lookup_further", &query, &variables.into())
    }

    /// Companies with one of these domains, also deleted ones.
    pub(crate) fn companies_by_domain(&self, urls: &[String], after: Option<&str>) -> Result<Call> {
        let variables = json!({"values": urls, "after": after});
        self.graphql("companies.lookup", COMPANIES_BY_DOMAIN, &variables)
    }

    fn graphql(&self, operation: &'static str, query: &str, variables: &Value) -> Result<Call> {
        self.call(operation, Method::POST, "/graphql", &[])?
            .repeatable()
            .json(&json!({"query": query, "variables": variables}))
    }

    pub(crate) fn call(
        &self,
        operation: &'static str,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> Result<Call> {
        let mut url = Url::parse(&format!("{}{path}", self.base)).map_err(|error| {
            Error::new(ErrorKind::Config, "base_url and path make no address").with_source(error)
        })?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(Call::new(operation, method, url.as_str())
            .map_err(|error| error.with_platform(&PLATFORM))?
            .bearer(&self.token))
    }
}
