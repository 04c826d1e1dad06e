//! Timetables over the clock changes of the world.

use std::collections::BTreeMap;

use automarket_core::{
    Timetable, Zone,
    chrono::{DateTime, Datelike, Duration, NaiveDate, Utc},
    testing::ZONES,
};

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn runs(rule: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let table = Timetable::parse(rule, zone).unwrap();
    std::iter::successors(table.after(at(from)), |last| table.after(*last))
        .take(count)
        .map(|run| run.format("%m-%dT%H:%M").to_string())
        .collect()
}

#[test]
fn a_daily_rule_runs_once_on_every_local_day() {
    for zone in ZONES {
        let tz: Zone = zone.parse().unwrap();
        for rule in ["0 0 * * *", "30 1 * * *", "30 2 * * *", "0 9 * * *"] {
            let table = Timetable::parse(rule, zone).unwrap();
            let mut days: BTreeMap<NaiveDate, u32> = BTreeMap::new();
            let mut run = at("2019-12-30T00:00:00Z");
            while let Some(next) = table.after(run) {
                assert!(next > run, "{zone} {rule}: {next} after {run}");
                run = next;
                let day = tz.wall(run).date();
                if day.year() > 2035 {
                    break;
                }
                *days.entry(day).or_default() += 1;
            }
            let mut day = NaiveDate::from_ymd_opt(2020, 1, 1).unwrap();
            while day.year() <= 2035 {
                assert_eq!(days.get(&day), Some(&1), "{zone} {rule} on {day}");
                day += Duration::days(1);
            }
        }
    }
}

#[test]
fn a_gap_goes_forward_and_a_repeated_time_runs_first_only() {
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", "2027-03-27T12:00:00Z", 2),
        ["03-28T01:00", "03-29T00:30"]
    );
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", 2),
        ["10-31T00:30", "11-01T01:30"]
    );
    // Every half hour: what the gap swallowed is one run, and the repeated hour is not run twice.
    assert_eq!(
        runs("*/30 * * * *", "Europe/Berlin", "2027-03-28T00:29:00Z", 3),
        ["03-28T00:30", "03-28T01:00", "03-28T01:30"]
    );
    assert_eq!(
        runs("*/30 * * * *", "Europe/Berlin", "2027-10-31T00:15:00Z", 2),
        ["10-31T00:30", "10-31T02:00"]
    );
}

#[test]
fn a_start_within_the_repeated_hour_does_not_run_it_again() {
    assert_eq!(
        runs("30 2 * * *", "Europe/Berlin", "2027-10-31T01:10:00Z", 1),
        ["11-01T01:30"]
    );
}

#[test]
fn weekdays_and_impossible_days() {
    assert_eq!(
        runs(
            "0 9 * * MON-FRI",
            "America/New_York",
            "2027-01-08T15:00:00Z",
            2
        ),
        ["01-11T14:00", "01-12T14:00"]
    );
    assert!(runs("0 0 30 2 *", "UTC", "2027-01-01T00:00:00Z", 1).is_empty());
}

#[test]
fn nonsense_names_its_field() {
    let wrong = |rule, zone| {
        let error = Timetable::parse(rule, zone).unwrap_err();
        error.field().map(str::to_owned)
    };
    assert_eq!(wrong("every day", "UTC").as_deref(), Some("rule"));
    assert_eq!(wrong("61 * * * *", "UTC").as_deref(), Some("rule"));
    assert_eq!(wrong("", "UTC").as_deref(), Some("rule"));
    for empty in [", * * * *", "1,,2 * * * *", "0 9 * * MON,", "0 0 9 , * *"] {
        assert_eq!(wrong(empty, "UTC").as_deref(), Some("rule"), "{empty}");
    }
    assert_eq!(wrong("0 9 * * *", "Mars/Base").as_deref(), Some("zone"));
}
