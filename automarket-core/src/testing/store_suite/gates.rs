use std::time::Duration;

use super::{StoreCase, StoreUnderTest, samples::tenant};
use crate::{
    AccountId, TenantId,
    store::{Budget, Gate, Pass, Signal, TRIPS},
};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new("a limited gate holds back until its time, then one", |s| {
            Box::pin(limited(s))
        }),
        StoreCase::new("of many calls at once one is the probe", |s| {
            Box::pin(one_probe(s))
        }),
        StoreCase::new(
            "a probe that is limited closes the gate for as long as it was told",
            |s| Box::pin(limited_probe(s)),
        ),
        StoreCase::new("a probe that is not heard of is followed by another", |s| {
            Box::pin(lost_probe(s))
        }),
        StoreCase::new("a probe that made no call lets another try at once", |s| {
            Box::pin(unused_probe(s))
        }),
        StoreCase::new("an answer from before does not open a gate", |s| {
            Box::pin(answer_from_before(s))
        }),
        StoreCase::new("none but the probe says how it ended", |s| {
            Box::pin(others_than_the_probe(s))
        }),
        StoreCase::new(
            "failures in a row trip the breaker, an answer resets it",
            |s| Box::pin(breaker(s)),
        ),
        StoreCase::new("a used up budget closes the gate until its reset", |s| {
            Box::pin(used_up(s))
        }),
        StoreCase::new("a closed bucket holds back its own calls only", |s| {
            Box::pin(bucket(s))
        }),
        StoreCase::new("closed gates of all tenants are named", |s| {
            Box::pin(closed_named(s))
        }),
        StoreCase::new("gates of other accounts and tenants stay open", |s| {
            Box::pin(others_open(s))
        }),
    ]
}

const MINUTE: Duration = Duration::from_secs(60);

fn ids() -> (TenantId, AccountId) {
    (tenant("a"), AccountId::derived("account"))
}

async fn pass(s: &StoreUnderTest) -> Pass {
    let (a, account) = ids();
    s.store.pass_gates(&a, account, None).await.unwrap()
}

/// By the probe, where there is one.
async fn tell(s: &StoreUnderTest, name: &str, signal: Signal) -> Gate {
    tell_by(s, name, signal, true).await
}

async fn tell_by(s: &StoreUnderTest, name: &str, signal: Signal, of_probe: bool) -> Gate {
    let (a, account) = ids();
    let told = s.store.tell_gate(&a, account, name, signal, of_probe);
    told.await.unwrap()
}

async fn unused_probe(s: &StoreUnderTest) {
    tell(s, "rate", Signal::Limited(MINUTE)).await;
    let closed = pass(s).await;
    tell(s, "rate", Signal::Unused).await;
    assert_eq!(pass(s).await, closed, "it is not over, and nobody probes");
    s.wait(61).await;
    assert_eq!(pass(s).await, Pass::Probe);
    assert!(matches!(pass(s).await, Pass::Closed(_)));
    tell(s, "rate", Signal::Unused).await;
    assert_eq!(pass(s).await, Pass::Probe, "the next is the probe");
    assert!(matches!(pass(s).await, Pass::Closed(_)), "and one alone");
}

async fn limited(s: &StoreUnderTest) {
    assert_eq!(pass(s).await, Pass::Open);
    let gate = tell(s, "rate", Signal::Limited(MINUTE)).await;
    let until = gate.closed_until.unwrap();
    assert_eq!(pass(s).await, Pass::Closed(until));
    // A shorter wait does not open it earlier.
    tell(s, "rate", Signal::Limited(Duration::ZERO)).await;
    assert_eq!(pass(s).await, Pass::Closed(until));
    s.wait(61).await;
    assert_eq!(pass(s).await, Pass::Probe);
    assert!(matches!(pass(s).await, Pass::Closed(_)), "one probe");
    tell(s, "rate", Signal::Answered(None)).await;
    assert_eq!(pass(s).await, Pass::Open);
}

async fn one_probe(s: &StoreUnderTest) {
    tell(s, "rate", Signal::Limited(MINUTE)).await;
    tell(s, "host:x", Signal::Limited(MINUTE)).await;
    s.wait(61).await;
    let tasks = (0..16).map(|_| {
        let store = s.store.clone();
        tokio::spawn(async move {
            let (a, account) = ids();
            store.pass_gates(&a, account, None).await.unwrap()
        })
    });
    let mut passed = 0;
    for task in tasks.collect::<Vec<_>>() {
        passed += usize::from(!matches!(task.await.unwrap(), Pass::Closed(_)));
    }
    assert_eq!(passed, 1);
}

async fn lost_probe(s: &StoreUnderTest) {
    tell(s, "rate", Signal::Limited(MINUTE)).await;
    s.wait(61).await;
    assert_eq!(pass(s).await, Pass::Probe);
    s.wait(50).await;
    assert!(matches!(pass(s).await, Pass::Closed(_)));
    s.wait(11).await;
    assert_eq!(pass(s).await, Pass::Probe);
    // Refused again: the platform's word counts from now.
    let gate = tell(s, "rate", Signal::Limited(MINUTE * 60)).await;
    assert!(gate.closed_until.unwrap() > s.in_seconds(3500).await);
}

async fn limited_probe(s: &StoreUnderTest) {
    for _ in 0..2 {
        tell(s, "rate", Signal::Limited(Duration::from_secs(2))).await;
        s.wait(3).await;
        assert_eq!(pass(s).await, Pass::Probe, "the platform's word is over");
    }
}

async fn answer_from_before(s: &StoreUnderTest) {
    tell(s, "rate", Signal::Limited(MINUTE)).await;
    tell(s, "rate", Signal::Answered(None)).await;
    assert!(matches!(pass(s).await, Pass::Closed(_)));
}

async fn others_than_the_probe(s: &StoreUnderTest) {
    tell(s, "host:x", Signal::Limited(MINUTE)).await;
    s.wait(61).await;
    assert_eq!(pass(s).await, Pass::Probe);
    let budget = Budget {
        remaining: Some(7),
        ..Budget::default()
    };
    for signal in [
        Signal::Answered(None),
        Signal::Answered(Some(budget)),
        Signal::Failed,
        Signal::Unused,
    ] {
        let gate = tell_by(s, "host:x", signal, false).await;
        assert!(gate.probing && gate.failures == 0, "{signal:?}");
        assert!(matches!(pass(s).await, Pass::Closed(_)), "{signal:?}");
    }
    let gate = tell(s, "host:x", Signal::Answered(None)).await;
    assert_eq!((gate.budget, pass(s).await), (Some(budget), Pass::Open));
    // The platform's word counts, whoever hears it.
    tell(s, "host:x", Signal::Limited(MINUTE)).await;
    s.wait(61).await;
    assert_eq!(pass(s).await, Pass::Probe);
    tell_by(s, "host:x", Signal::Limited(Duration::ZERO), false).await;
    assert!(matches!(pass(s).await, Pass::Closed(_)));
    tell_by(s, "host:x", Signal::Limited(MINUTE * 60), false).await;
    s.wait(3500).await;
    assert!(matches!(pass(s).await, Pass::Closed(_)));
}

async fn breaker(s: &StoreUnderTest) {
    for failures in 1..TRIPS {
        let gate = tell(s, "host:x", Signal::Failed).await;
        assert_eq!((gate.failures, gate.closed_until), (failures, None));
    }
    assert_eq!(pass(s).await, Pass::Watched);
    tell(s, "host:x", Signal::Answered(None)).await;
    assert_eq!(pass(s).await, Pass::Open);
    // The last ones were under way when it closed.
    for _ in 0..TRIPS + 11 {
        tell(s, "host:x", Signal::Failed).await;
    }
    assert!(matches!(pass(s).await, Pass::Closed(_)));
    s.wait(31).await;
    assert_eq!(pass(s).await, Pass::Probe);
    let again = tell(s, "host:x", Signal::Failed).await;
    assert!(again.closed_until.unwrap() > s.in_seconds(58).await);
}

async fn used_up(s: &StoreUnderTest) {
    let budget = Budget {
        limit: Some(u64::from(u32::MAX)),
        remaining: Some(2),
        resets_in: Some(MINUTE),
    };
    let gate = tell(s, "rate", Signal::Answered(Some(budget))).await;
    assert_eq!((gate.budget, pass(s).await), (Some(budget), Pass::Open));
    let none_left = Budget {
        remaining: Some(0),
        ..budget
    };
    tell(s, "rate", Signal::Answered(Some(none_left))).await;
    assert!(matches!(pass(s).await, Pass::Closed(_)));
    let (a, _) = ids();
    let gates = s.store.gates(&a).await.unwrap();
    assert_eq!(gates.len(), 1);
    assert_eq!(gates[0].budget, Some(none_left));
    s.wait(61).await;
    assert_eq!(pass(s).await, Pass::Probe);
}

async fn bucket(s: &StoreUnderTest) {
    let (a, account) = ids();
    let of = async |bucket| s.store.pass_gates(&a, account, bucket).await.unwrap();
    let gate = tell(s, &Gate::rate(Some("posts")), Signal::Limited(MINUTE)).await;
    assert_eq!(gate.bucket(), Some("posts"));
    assert_eq!(
        (pass(s).await, of(Some("post")).await),
        (Pass::Open, Pass::Open)
    );
    assert!(matches!(of(Some("posts")).await, Pass::Closed(_)));
    tell(s, &Gate::rate(None), Signal::Limited(MINUTE)).await;
    assert_eq!(of(Some("post")).await, Pass::Open);
    s.wait(61).await;
    assert_eq!(of(Some("posts")).await, Pass::Probe);
    assert!(
        matches!(of(Some("posts")).await, Pass::Closed(_)),
        "one probe"
    );
    assert_eq!(pass(s).await, Pass::Probe, "a probe of its own");
}

async fn closed_named(s: &StoreUnderTest) {
    let (_, account) = ids();
    for (name, signal) in [
        ("a", Signal::Limited(MINUTE)),
        ("b", Signal::Limited(MINUTE * 2)),
        ("c", Signal::Failed),
    ] {
        let tenant = tenant(name);
        let told = s.store.tell_gate(&tenant, account, "rate", signal, false);
        told.await.unwrap();
    }
    let closed = async |limit| {
        let closed = s.store.closed_gates(limit).await.unwrap().into_iter();
        closed
            .map(|gate| gate.tenant.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(closed(9).await, ["b", "a"]);
    assert_eq!(closed(1).await, ["b"]);
    s.wait(61).await;
    assert_eq!(closed(9).await, ["b"]);
    s.wait(61).await;
    assert_eq!(closed(9).await, [""; 0]);
}

async fn others_open(s: &StoreUnderTest) {
    let (a, account) = ids();
    tell(s, "rate", Signal::Limited(MINUTE)).await;
    tell(s, "host:x", Signal::Failed).await;
    let gates = s.store.gates(&a).await.unwrap();
    let names: Vec<&str> = gates.iter().map(|g| g.name.as_str()).collect();
    assert_eq!(names, ["host:x", "rate"]);
    let other = AccountId::derived("other");
    for (tenant, account) in [(a, other), (tenant("b"), account), (tenant("A"), account)] {
        let pass = s.store.pass_gates(&tenant, account, None).await.unwrap();
        assert_eq!(pass, Pass::Open, "{tenant}");
    }
    assert_eq!(s.store.gates(&tenant("A")).await.unwrap(), []);
}
