use automarket_core::{
    Context, Error, ErrorKind, Result, Retry,
    chrono::{DateTime, TimeDelta, Utc},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{Graph, client::Made, error::of_account};

/// Pages of a list that are read at the most.
const PAGES: u32 = 5;
/// How much longer a time is looked through: our clock and Meta's differ.
const MARGIN: TimeDelta = TimeDelta::days(1);

/// When a thing was made, as handles and receipts remember it: of a list that can be asked for a time only this is read,
/// however many entries there are. A thing of which that is not known is looked for in the whole list.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Within {
    /// Not before this.
    pub since: DateTime<Utc>,
    /// Nor after this; `None` while it may yet be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
}

impl Within {
    /// What data of a handle or receipt remembers, as far as it does.
    #[must_use]
    pub fn of(data: &Value) -> Option<Self> {
        Self::deserialize(data).ok()
    }

    fn query(self, now: DateTime<Utc>) -> Vec<(&'static str, String)> {
        // What began in the future did so before our clock was set back.
        let since = self.since.min(now).checked_sub_signed(MARGIN);
        let until = self.until.and_then(|at| at.checked_add_signed(MARGIN));
        let bounds = [("since", since), ("until", until)];
        let known = bounds
            .into_iter()
            .filter_map(|(name, at)| Some((name, at?)));
        known
            .map(|(name, at)| (name, at.timestamp().to_string()))
            .collect()
    }
}

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
        self.list_to(cx, operation, path, query, |_| false).await
    }

    /// Whether a list holds the thing of this id. Meta said for days of each single thing that it is not there
    /// (100/33), while the lists held it: nothing is gone that is in one of those where it would be. `within` is for lists
    /// that can be asked for a time.
    ///
    /// # Errors
    /// As [`list`](Self::list); `Unauthorized` when the list itself is not to be seen.
    pub async fn holds(
        &self,
        cx: &Context,
        operation: &'static str,
        path: &[&str],
        within: Option<Within>,
        id: &str,
    ) -> Result<bool> {
        let it = |one: &Made| one.id == id;
        let bounds = within.map(|within| within.query(cx.now()));
        let bounds = bounds.unwrap_or_default();
        let mut query = vec![("fields", "id")];
        query.extend(bounds.iter().map(|(name, at)| (*name, at.as_str())));
        let listed = self.list_to(cx, operation, path, &query, it).await;
        match listed {
            Ok(all) => Ok(all.iter().any(it)),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(of_account(error)),
            // Another look would tell no more.
            Err(error) if error.kind() == ErrorKind::CannotTell => Err(error
                .with_retry(Retry::Never)
                .with_remedy("look for it there")),
            Err(error) => Err(error),
        }
    }

    /// A list up to the page with `last` on it.
    async fn list_to<T: DeserializeOwned>(
        &self,
        cx: &Context,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
        last: impl Fn(&T) -> bool,
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
            let ends = page.paging.next.is_none() || page.data.iter().any(&last);
            all.extend(page.data);
            if ends {
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

/// What is true of a thing whose id Meta does not know: `NotFound` only where no list holds it,
/// `Unavailable` where one does; what keeps from looking, otherwise.
pub async fn unless_listed(error: Error, listed: impl Future<Output = Result<bool>>) -> Error {
    if error.kind() != ErrorKind::NotFound {
        return error;
    }
    match listed.await {
        Ok(false) => error,
        Ok(true) => error
            .with_kind(ErrorKind::Unavailable)
            .with_retry(Retry::After(None)),
        Err(error) => error,
    }
}

#[cfg(test)]
mod tests {
    use automarket_core::{Platform, Secret, testing::Script};
    use serde_json::json;

    use super::*;

    fn graph(token: &Secret) -> Graph<'_> {
        Graph {
            platform: Platform::FACEBOOK,
            base_url: "https://graph.example",
            version: "v26.0",
            token,
            app_secret: None,
            refine: |_, _, error| error,
        }
    }

    #[tokio::test]
    async fn what_is_found_is_looked_for_no_further() {
        let asked = "https://graph.example/v26.0/me/feed?fields=id&limit=100";
        let page = json!({"data": [{"id": "1"}, {"id": "2"}],
            "paging": {"next": "more", "cursors": {"after": "a"}}});
        let second = format!("{asked}&after=a");
        for (id, there) in [("2", true), ("3", false)] {
            let mut wire = Script::new()
                .expect("GET", asked)
                .reply(200, page.to_string());
            if !there {
                wire = wire.expect("GET", &second).reply(200, r#"{"data":[]}"#);
            }
            let token = Secret::new("t");
            let (graph, cx) = (graph(&token), wire.context());
            let held = graph.holds(&cx, "list", &["me", "feed"], None, id).await;
            assert_eq!(held.unwrap(), there);
            wire.finished();
        }
    }

    #[test]
    fn a_time_is_looked_through_with_a_day_around_it() {
        let day = |day: u32| format!("2026-11-{day:02}T12:00:00Z");
        let now: DateTime<Utc> = day(20).parse().unwrap();
        let seconds = |text: String| {
            text.parse::<DateTime<Utc>>()
                .unwrap()
                .timestamp()
                .to_string()
        };
        let asked = |data: Value| Within::of(&data).map(|within| within.query(now));
        assert_eq!(asked(json!({"kind": "post", "since": null})), None);
        assert_eq!(asked(Value::Null), None);
        let open = asked(json!({"kind": "post", "since": day(10)}));
        assert_eq!(open.unwrap(), [("since", seconds(day(9)))]);
        let closed = asked(json!({"since": day(10), "until": day(11)}));
        let both = [("since", seconds(day(9))), ("until", seconds(day(12)))];
        assert_eq!(closed.unwrap(), both);
        // The clock was set back.
        let ahead = asked(json!({"since": day(25)}));
        assert_eq!(ahead.unwrap(), [("since", seconds(day(19)))]);
    }

    #[tokio::test]
    async fn a_list_ends_only_where_nothing_says_that_there_is_more() {
        let asked = "https://graph.example/v26.0/me/feed?limit=100";
        let next = "https://graph.example/v26.0/me/feed?until=1&access_token=t";
        let listed = async |pages: &[(&str, Value)]| {
            let wire = pages.iter().fold(Script::new(), |wire, (url, body)| {
                wire.expect("GET", url).reply(200, body.to_string())
            });
            let token = Secret::new("t");
            let (graph, cx) = (graph(&token), wire.context());
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
