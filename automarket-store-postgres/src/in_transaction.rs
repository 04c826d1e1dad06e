//! What the helpers for the drivers share: they speak to the functions that any host may call.

use automarket_core::{
    JobId, Result,
    store::{
        Enqueued, NewJob,
        rows::{NewRow, damaged, to_json},
    },
};

use serde::Serialize;

use crate::{PostgresStore, db::in_schema};

pub(crate) const PUT: &str =
    "SELECT job::text AS job, is_new FROM automarket.put_jobs($1::text::json)";
pub(crate) const PUBLISH: &str = "SELECT automarket.publish($1::text::json) AS is_new";

impl PostgresStore {
    /// A statement of ours for this store's schema.
    pub(crate) fn statement(&self, sql: &'static str) -> String {
        in_schema(&self.inner.db.schema, sql).into_owned()
    }
}

/// A job as [`PUT`] wants it: its payload as text, in which U+0000 may stand.
pub(crate) fn one(job: &NewJob) -> Result<String> {
    #[derive(Serialize)]
    struct WithText {
        #[serde(flatten)]
        job: NewJob,
        payload_text: String,
    }
    let NewRow { job, payload } = NewRow::new(job)?;
    let payload_text = payload;
    to_json(&[WithText { job, payload_text }])
}

pub(crate) fn enqueued(id: &str, is_new: bool) -> Result<Enqueued> {
    let id: JobId = id.parse().map_err(|_| damaged("the answer of put_jobs"))?;
    Ok(if is_new {
        Enqueued::New(id)
    } else {
        Enqueued::Existing(id)
    })
}
