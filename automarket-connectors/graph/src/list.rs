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
    /// `CannotTell` when it has more than 500 entries, or goes on without a cursor; those of [`ask`](Self::ask).
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
            if page.paging.next.is_none() {
                return Ok(all);
            }
            after = page.paging.cursors.after;
            // It is paged in another way, by time: what follows is not read.
            if after.is_none() {
                break;
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

#[cfg(test)]
mod tests {
    use automarket_core::{Platform, Secret, testing::Script};
    use serde_json::{Value, json};

    use super::*;

    #[tokio::test]
    async fn a_list_ends_only_where_nothing_says_that_there_is_more() {
        let asked = "https://graph.example/v26.0/me/feed?limit=100";
        let next = "https://graph.example/v26.0/me/feed?until=1&access_token=t";
        let listed = async |pages: &[(&str, Value)]| {
            let wire = pages.iter().fold(Script::new(), |wire, (url, body)| {
                wire.expect("GET", url).reply(200, body.to_string())
            });
            let token = Secret::new("t");
            let graph = Graph {
                platform: Platform::FACEBOOK,
                base_url: "https://graph.example",
                version: "v26.0",
                token: &token,
                app_secret: None,
                refine: |_, _, error| error,
            };
            let cx = wire.context();
            let all = graph.list::<Value>(&cx, "list", &["me", "feed"], &[]).await;
            wire.finished();
            all
        };
        // A page may be empty, and more may follow.
        let more = json!({"data": [], "paging": {"next": next, "cursors": {"after": "a"}}});
        let last = json!({"data": [1], "paging": {"cursors": {"after": "b"}}});
        let second = format!("{asked}&after=a");
        let all = listed(&[(asked, more), (&second, last)]).await.unwrap();
        assert_eq!(all, [json!(1)]);
        assert_eq!(
            listed(&[(asked, json!({"data": []}))]).await.unwrap(),
            [] as [Value; 0]
        );
        // Some edges page by time: how is not known here.
        for data in [json!([]), json!([1])] {
            let page = json!({"data": data, "paging": {"previous": next, "next": next}});
            let error = listed(&[(asked, page)]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::CannotTell);
        }
    }
}
