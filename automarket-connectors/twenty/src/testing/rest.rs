//! The paths.

use std::collections::HashMap;

use automarket_core::{
    Bytes,
    chrono::{DateTime, Duration, Utc},
    http_types::{Method, Request, Response},
    testing::json_reply,
};
use serde_json::{Value, json};

use super::{
    Refusal, State,
    filter::{Filter, Query, page},
    records,
    schema::Object,
};

impl State {
    pub(super) fn route(
        &mut self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Response<Bytes>, Refusal> {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let query: HashMap<String, String> = form(request.uri().query().unwrap_or_default())
            .into_iter()
            .collect();
        let body = || -> Result<Value, Refusal> {
            serde_json::from_slice(request.body()).map_err(|_| Refusal::bad("Body is not JSON"))
        };
        let upsert = !self.old && query.get("upsert").is_some_and(|value| value == "true");
        match (request.method(), segments.as_slice()) {
            (&Method::POST, ["graphql"]) => Ok(json_reply(200, &self.graphql(&body()?))),
            (&Method::GET, ["rest", "metadata", "objects"]) => Ok(json_reply(200, &self.objects())),
            (&Method::POST, ["rest", "metadata", "objects"]) => self
                .create_object(&body()?)
                .map(|made| json_reply(201, &made)),
            (&Method::POST, ["rest", "metadata", "fields"]) => self
                .create_field(&body()?)
                .map(|made| json_reply(201, &made)),
            (&Method::POST, ["rest", "batch", plural]) => {
                let object = self.by_plural(plural)?;
                let at = self.stamp(now);
                let made = self.batch(&object, body()?, upsert, at)?;
                let name = format!("create{}", capital(&object.plural));
                Ok(json_reply(201, &json!({"data": {name: made}})))
            }
            (&Method::GET, ["rest", plural]) => {
                // Whoever has read an answer writes in a later millisecond.
                self.stamp = self.stamp.map(|at| at + Duration::milliseconds(1));
                self.list(&self.by_plural(plural)?, &query)
            }
            (&Method::POST, ["rest", plural]) => {
                let object = self.by_plural(plural)?;
                let at = self.stamp(now);
                let fields = records::fields(body()?)?;
                let made = self.write(&object.singular, vec![fields], upsert, at)?;
                let name = format!("create{}", capital(&object.singular));
                Ok(json_reply(201, &json!({"data": {name: made.first()}})))
            }
            (&Method::GET, ["rest", plural, id]) => {
                let object = self.by_plural(plural)?;
                let record = self.get(&object, id)?;
                Ok(json_reply(200, &json!({"data": {object.singular: record}})))
            }
            (&Method::PATCH, ["rest", plural, id]) => {
                let object = self.by_plural(plural)?;
                let at = self.stamp(now);
                let record = self.update(&object, id, body()?, at)?;
                let name = format!("update{}", capital(&object.singular));
                Ok(json_reply(200, &json!({"data": {name: record}})))
            }
            (&Method::DELETE, ["rest", plural, id]) => {
                let object = self.by_plural(plural)?;
                let soft = query
                    .get("soft_delete")
                    .is_some_and(|value| value == "true");
                let at = self.stamp(now);
                self.delete(&object, id, soft, at)?;
                let name = format!("delete{}", capital(&object.singular));
                Ok(json_reply(200, &json!({"data": {name: {"id": id}}})))
            }
            _ => Err(Refusal(404, format!("Cannot {} {path}", request.method()))),
        }
    }

    fn list(
        &self,
        object: &Object,
        query: &HashMap<String, String>,
    ) -> Result<Response<Bytes>, Refusal> {
        if query
            .get("depth")
            .is_some_and(|depth| !["0", "1"].contains(&depth.as_str()))
        {
            return Err(Refusal::bad(
                "'depth' parameter invalid. Allowed values are 0, 1",
            ));
        }
        let limit = match query.get("limit") {
            Some(limit) => limit
                .parse()
                .map_err(|_| Refusal::bad("limit is not a number"))?,
            None => 60,
        };
        let filter = query
            .get("filter")
            .map(|text| Filter::parse(text))
            .transpose()?;
        let page = page(
            object,
            self.records
                .get(&object.singular)
                .map(Vec::as_slice)
                .unwrap_or_default(),
            Query {
                filter,
                order_by: query
                    .get("order_by")
                    .map(String::as_str)
                    .unwrap_or_default(),
                limit,
                after: query.get("starting_after").map(String::as_str),
                old: self.old,
                without_like: self.without_like,
            },
        )?;
        let info = page.info();
        let body = json!({
            "data": {object.plural.clone(): page.records}, "totalCount": page.total, "pageInfo": info,
        });
        Ok(json_reply(200, &body))
    }
}

/// The pairs of a query string.
fn form(query: &str) -> Vec<(String, String)> {
    // The parser of addresses decodes them; the address itself does not matter.
    let url = automarket_core::Url::parse(&format!("https://twenty.example/?{query}"));
    url.map(|url| url.query_pairs().into_owned().collect())
        .unwrap_or_default()
}

pub(super) fn capital(name: &str) -> String {
    let mut chars = name.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
