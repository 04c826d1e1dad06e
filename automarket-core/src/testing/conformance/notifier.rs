//! What every `Notifier` keeps.

use crate::{
    Context, ErrorKind, Notice, Notifier, Platform, steps,
    testing::{Fault, Sandbox},
};

/// A notifier with its fake. `context` makes the environment of one notice: fresh steps, a key, a good
/// credential, on this sandbox.
pub struct NotifierUnderTest<'a> {
    /// The connector.
    pub notifier: &'a dyn Notifier,
    /// Its platform.
    pub platform: Platform,
    /// The world with its fake.
    pub sandbox: Sandbox,
    /// Makes the environment of one notice.
    pub context: &'a (dyn Fn() -> Context + Sync),
    /// A part of the path of the request that sends.
    pub send_path: &'static str,
    /// Whether a lost answer can be looked up.
    pub finds: bool,
}

impl NotifierUnderTest<'_> {
    fn effects(&self) -> usize {
        self.sandbox.effects(&self.platform).len()
    }

    /// All promises, one after the other.
    pub async fn run(&self) {
        self.profile_is_sane();
        self.a_notice_arrives_once().await;
        self.a_context_is_for_one_notice().await;
        self.an_empty_notice_is_refused().await;
        self.a_long_notice_is_shortened().await;
        self.what_did_not_leave_may_be_sent_again().await;
        self.a_lost_answer_is_never_sent_twice().await;
        self.a_rate_limit_brings_its_wait().await;
    }

    fn profile_is_sane(&self) {
        let profile = self.notifier.profile();
        assert_eq!(profile.platform, self.platform);
        assert!(!profile.api.version.is_empty() && profile.api.source.starts_with("https://"));
    }

    async fn a_notice_arrives_once(&self) {
        let before = self.effects();
        let cx = (self.context)();
        let notice = Notice::new("Title", "Text & <more>").field("name", "value");
        let first = self
            .notifier
            .notify(&cx, &notice)
            .await
            .unwrap_or_else(|error| panic!("{}", error.report()));
        let again = self
            .notifier
            .notify(&cx, &notice)
            .await
            .unwrap_or_else(|error| panic!("{}", error.report()));
        assert_eq!(self.effects(), before + 1, "the same steps send once");
        assert_eq!(first.remote_id(), again.remote_id());
    }

    async fn a_context_is_for_one_notice(&self) {
        let before = self.effects();
        let cx = (self.context)();
        let (first, second) = (Notice::new("One", ""), Notice::new("Two", ""));
        assert!(self.notifier.notify(&cx, &first).await.is_ok());
        let other = self.notifier.notify(&cx, &second).await.err();
        assert_eq!(
            other
                .and_then(|error| error.rule().map(str::to_owned))
                .as_deref(),
            Some(steps::OTHER)
        );
        assert_eq!(self.effects(), before + 1);
        let cx = cx.fresh().with_key("two");
        assert!(self.notifier.notify(&cx, &second).await.is_ok());
        assert_eq!(self.effects(), before + 2);
    }

    async fn an_empty_notice_is_refused(&self) {
        let before = self.effects();
        let error = self
            .notifier
            .notify(&(self.context)(), &Notice::new(" ", ""))
            .await
            .err();
        assert_eq!(
            error.map(|error| error.kind()),
            Some(ErrorKind::InvalidInput)
        );
        assert_eq!(self.effects(), before);
    }

    async fn a_long_notice_is_shortened(&self) {
        let before = self.effects();
        let mut notice = Notice::new("👩‍👩‍👧‍👦".repeat(300), "<&> ".repeat(20_000));
        for n in 0..60 {
            notice = notice.field(format!("fact {n}"), "v".repeat(4000));
        }
        let sent = self.notifier.notify(&(self.context)(), &notice).await;
        assert!(sent.is_ok(), "{:?}", sent.err());
        assert_eq!(self.effects(), before + 1);
    }

    async fn what_did_not_leave_may_be_sent_again(&self) {
        let before = self.effects();
        let cx = (self.context)();
        self.sandbox.fault(self.send_path, Fault::NotSent);
        let error = self.notifier.notify(&cx, &Notice::new("a", "")).await.err();
        assert!(matches!(
            error.map(|error| error.retry()),
            Some(crate::Retry::After(_))
        ));
        assert!(
            self.notifier
                .notify(&cx, &Notice::new("a", ""))
                .await
                .is_ok()
        );
        assert_eq!(self.effects(), before + 1);
    }

    async fn a_lost_answer_is_never_sent_twice(&self) {
        for fault in [
            Fault::CutAfter,
            Fault::StatusAfter(502),
            Fault::HalfAfter,
            Fault::GarbageAfter,
        ] {
            let before = self.effects();
            let cx = (self.context)();
            self.sandbox.fault(self.send_path, fault.clone());
            let error = self.notifier.notify(&cx, &Notice::new("b", "")).await.err();
            assert!(
                error.is_some_and(|error| error.is_unknown()),
                "{fault:?} is an unknown end"
            );
            let second = self.notifier.notify(&cx, &Notice::new("b", "")).await;
            match second {
                Ok(_) => assert!(self.finds, "{fault:?}: only a look-up can tell"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::CannotTell, "{fault:?}"),
            }
            assert_eq!(self.effects(), before + 1, "{fault:?}");
        }
        if self.finds {
            let before = self.effects();
            let cx = (self.context)();
            self.sandbox.fault(self.send_path, Fault::CutBefore);
            assert!(
                self.notifier
                    .notify(&cx, &Notice::new("c", ""))
                    .await
                    .is_err()
            );
            assert!(
                self.notifier
                    .notify(&cx, &Notice::new("c", ""))
                    .await
                    .is_ok()
            );
            assert_eq!(self.effects(), before + 1, "surely absent is sent again");
        }
    }

    async fn a_rate_limit_brings_its_wait(&self) {
        let before = self.effects();
        self.sandbox
            .fault(self.send_path, Fault::RateLimited(Some("7")));
        let error = self
            .notifier
            .notify(&(self.context)(), &Notice::new("d", ""))
            .await
            .err();
        let (kind, retry) = error.map_or((None, None), |error| {
            (Some(error.kind()), Some(error.retry()))
        });
        assert_eq!(kind, Some(ErrorKind::RateLimited));
        assert_eq!(
            retry,
            Some(crate::Retry::After(Some(std::time::Duration::from_secs(7))))
        );
        assert_eq!(self.effects(), before);
    }
}
