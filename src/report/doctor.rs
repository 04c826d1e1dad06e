//! Versions of platforms' interfaces that are close to their sunset.

use std::fmt;

use automarket_core::{
    Platform,
    chrono::{NaiveDate, TimeDelta},
    profile::ApiVersion,
};
use serde::Serialize;

use crate::Automarket;

/// So long before its end a version is told of.
const AHEAD: TimeDelta = TimeDelta::days(90);

/// A version of a platform's API that a connector speaks and that ends soon, or has ended: a newer automarket speaks a newer
/// one, and until then the connector's configuration can name one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Sunset {
    /// Whose API.
    pub platform: Platform,
    /// The version, as the platform spells it.
    pub version: &'static str,
    /// The day it stops being served.
    pub day: NaiveDate,
    /// The page that says so.
    pub source: &'static str,
}

impl fmt::Display for Sunset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            platform,
            version,
            day,
            source,
        } = self;
        write!(
            f,
            "version {version} of {platform}'s API is served until {day} ({source})"
        )
    }
}

impl Automarket {
    /// Which versions of platforms' APIs end within 90 days, by this process's clock, the first of them first. Asks
    /// nobody; each is warned of when the library is built, too. What calls such a version once it has ended fails with
    /// `ApiVersionRetired`, and posts wait.
    ///
    /// ```
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// use automarket::{Automarket, store::MemoryStore};
    /// let market = Automarket::builder(MemoryStore::new()).build()?;
    /// assert!(market.doctor().is_empty());
    /// # Ok::<(), automarket::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn doctor(&self) -> Vec<Sunset> {
        let today = self.engine.clock.now().date_naive();
        let soon = |(platform, api): (&Platform, &ApiVersion)| {
            let day = api.sunset.filter(|day| *day - today <= AHEAD)?;
            Some(Sunset {
                platform: platform.clone(),
                version: api.version,
                day,
                source: api.source,
            })
        };
        let mut ends: Vec<_> = self.engine.spoken().filter_map(soon).collect();
        ends.sort_by(|a, b| (a.day, &a.platform).cmp(&(b.day, &b.platform)));
        ends.dedup();
        ends
    }

    pub(crate) fn warn_of_ends(&self) {
        for end in self.doctor() {
            tracing::warn!(
                platform = end.platform.as_str(),
                version = end.version,
                day = %end.day,
                "{end}"
            );
        }
    }
}
