//! What every `PageSource` keeps.

use crate::{
    Context, ErrorKind, PageSource, Retry,
    testing::{Fault, Sandbox},
};

/// A source with its fake. `good` is an address with a title and text, `missing` one that is not there.
pub struct SourceUnderTest<'a> {
    /// The source.
    pub source: &'a dyn PageSource,
    /// The world with its fake.
    pub sandbox: Sandbox,
    /// Makes the environment of one reading, on this sandbox.
    pub context: &'a (dyn Fn() -> Context + Sync),
    /// The address of a page with title and text.
    pub good: &'static str,
    /// The address of no page.
    pub missing: &'static str,
    /// A part of the path of the request that reads.
    pub read_path: &'static str,
}

impl SourceUnderTest<'_> {
    /// All promises, one after the other.
    pub async fn run(&self) {
        self.a_page_is_read_the_same_each_time().await;
        self.only_web_addresses_are_taken().await;
        self.a_missing_page_is_not_found().await;
        self.a_failing_wire_may_be_tried_again().await;
        self.a_refused_reader_is_told_how_long_to_wait().await;
    }

    async fn a_page_is_read_the_same_each_time(&self) {
        let first = self.source.read(&(self.context)(), self.good).await;
        let first = first.unwrap_or_else(|error| panic!("{}", error.report()));
        assert!(
            first
                .title
                .as_deref()
                .is_some_and(|title| !title.is_empty())
        );
        assert!(!first.text.is_empty() && !first.markdown.is_empty() && first.url.is_some());
        let again = self.source.read(&(self.context)(), self.good).await;
        assert_eq!(again.ok(), Some(first));
    }

    async fn only_web_addresses_are_taken(&self) {
        for address in [
            "",
            "not an address",
            "/etc/passwd",
            "file:///etc/passwd",
            "ftp://acme.example/",
        ] {
            let error = self.source.read(&(self.context)(), address).await.err();
            let kind = error.map(|error| error.kind());
            assert_eq!(kind, Some(ErrorKind::InvalidInput), "{address:?}");
            let checked = self.source.check(address);
            assert!(checked.is_err(), "{address:?} is refused before it is read");
        }
        assert!(self.source.check(self.good).is_ok());
    }

    async fn a_missing_page_is_not_found(&self) {
        let error = self
            .source
            .read(&(self.context)(), self.missing)
            .await
            .err();
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::NotFound));
    }

    /// Reading has no effect, so nothing about it is ever to be looked up first.
    async fn a_failing_wire_may_be_tried_again(&self) {
        let faults = [
            (Fault::NotSent, ErrorKind::Network),
            (Fault::CutAfter, ErrorKind::Network),
            (Fault::StatusBefore(502), ErrorKind::Unavailable),
            (Fault::StatusAfter(503), ErrorKind::Unavailable),
        ];
        for (fault, kind) in faults {
            self.sandbox.fault(self.read_path, fault);
            let error = self.source.read(&(self.context)(), self.good).await;
            let error = error
                .err()
                .unwrap_or_else(|| panic!("{kind} was read as a page"));
            assert_eq!((error.kind(), error.retry()), (kind, Retry::After(None)));
        }
    }

    async fn a_refused_reader_is_told_how_long_to_wait(&self) {
        self.sandbox
            .fault(self.read_path, Fault::RateLimited(Some("7")));
        let error = self.source.read(&(self.context)(), self.good).await.err();
        let error = error.map(|error| (error.kind(), error.retry()));
        let wait = Retry::After(Some(std::time::Duration::from_secs(7)));
        assert_eq!(error, Some((ErrorKind::RateLimited, wait)));
    }
}
