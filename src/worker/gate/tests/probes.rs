//! What a gate's probe says, and what others cannot say for it.

use super::*;

const FAILS: Option<(u16, &str, &str)> = Some((503, "x", "y"));
const ANSWERS: Option<(u16, &str, &str)> = Some((200, "x-rate-limit-remaining", "7"));

async fn world() -> (World, ManualClock) {
    let clock = ManualClock::parse("2027-01-15T08:00:00Z");
    let store = MemoryStore::with_clock(Arc::new(clock.clone()));
    (World::on(store, Arc::new(clock.clone())).await, clock)
}

/// Work that has passed, and is under way.
async fn begun(world: &World) -> (Context, Passed) {
    let passing = world.tenant.engine().passing(world.account.clone());
    passing.await.unwrap()
}

async fn end(world: &World, (context, passed): (Context, Passed), answer: (u16, &'static str)) {
    let (status, left) = answer;
    let answer = (status, "x-rate-limit-remaining", left);
    world.answers.lock().unwrap().push_back(answer);
    let call = Call::get("x.get", "https://api.x.com/2").unwrap();
    let end = context.call(call).await;
    passed.tell(&end).await;
}

#[tokio::test]
async fn the_failure_of_work_from_before_a_breaker_tripped_is_not_that_of_its_probe() {
    // Whether the host had failed already when it began is no matter.
    for failed_before in [0, 1] {
        let (world, clock) = world().await;
        for _ in 0..failed_before {
            world.work(FAILS).await.unwrap();
        }
        let early = begun(&world).await;
        for _ in failed_before..TRIPS {
            world.work(FAILS).await.unwrap();
        }
        clock.advance(TimeDelta::seconds(31));
        let probe = begun(&world).await;
        end(&world, early, (503, "7")).await;
        assert_eq!(world.closed().await, ["host:api.x.com"]);
        end(&world, probe, (200, "7")).await;
        assert_eq!(world.closed().await, [""; 0], "{failed_before}");
        world.work(ANSWERS).await.unwrap();
    }
}

#[tokio::test]
async fn the_answer_to_work_from_before_a_limit_opens_no_gate_that_is_probed() {
    for left in ["7", "0"] {
        let (world, clock) = world().await;
        let early = begun(&world).await;
        let limited = Some((429, "retry-after", "120"));
        world.work(limited).await.unwrap();
        clock.advance(TimeDelta::seconds(121));
        let probe = begun(&world).await;
        end(&world, early, (200, left)).await;
        let held_back = world.work(None).await.unwrap_err();
        assert_eq!(held_back.rule(), Some(CLOSED), "one probe");
        end(&world, probe, (200, "9")).await;
        assert_eq!(world.closed().await, [""; 0], "{left}");
        let gates = world.store.gates(world.tenant.id()).await.unwrap();
        let rate = gates.iter().find(|gate| gate.name == RATE).unwrap();
        assert_eq!(rate.budget.unwrap().remaining, Some(9));
    }
}

#[tokio::test]
async fn a_probes_failure_still_closes_its_gate_for_longer() {
    let (world, clock) = world().await;
    for _ in 0..TRIPS {
        world.work(FAILS).await.unwrap();
    }
    clock.advance(TimeDelta::seconds(31));
    let probe = begun(&world).await;
    end(&world, probe, (503, "7")).await;
    clock.advance(TimeDelta::seconds(58));
    let held_back = world.work(None).await.unwrap_err();
    assert_eq!(held_back.rule(), Some(CLOSED));
    clock.advance(TimeDelta::seconds(3));
    world.work(ANSWERS).await.unwrap();
    assert_eq!(world.closed().await, [""; 0]);
}
