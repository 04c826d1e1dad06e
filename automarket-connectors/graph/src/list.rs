use automarket_core::{Context, Error, ErrorKind, Result};
use serde::{Deserialize, de::DeserializeOwned};

use crate::Graph;

/// Pages of a list that are read at the most.
const PAGES: u32 = 5;

#[derive(Deserialize)]
struct Page<T> {
    data: Vec<T>,
    #[serde(default)]
    paging: Paging,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Paging {
    cursors: Cursors,
    /// The address of the next page, which holds the token: it only says that there is one.
    next: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Cursors {
    after: Option<String>,
}

impl Graph<'_> {
    /// All of a list, 100 entries a page.
    ///
    /// # Errors
    /// `CannotTell` when it has more than 500 entries; those of [`ask`](Self::ask).
    pub async fn list<T: DeserializeOwned>(
        &self,
        cx: &Context,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Vec<T>> {
        let mut all = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES {
            let mut query = query.to_vec();
            query.push(("limit", "100"));
            if let Some(after) = &after {
                query.push(("after", after));
            }
            let page: Page<T> = self.ask(cx, self.get(operation, path, &query)?).await?;
            all.extend(page.data);
            after = page.paging.next.and(page.paging.cursors.after);
            if after.is_none() {
                return Ok(all);
            }
        }
        Err(Error::new(
            ErrorKind::CannotTell,
            "there are more entries than are searched",
        )
        .with_platform(&self.platform)
        .with_operation(operation))
    }
}
