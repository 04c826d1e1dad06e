//! Dates and times of day.

use automarket_core::ai::UngroundedKind;

use super::{grounded, judge, missing};

#[test]
fn one_date_is_one_however_it_is_written() {
    judge(
        &[
            (
                "Am 12.03.2025 in Berlin",
                "Wir sind am 12. März 2025 in Berlin.",
            ),
            ("Am 12.3.2025 in Berlin", "Wir sind am 12. März in Berlin."),
            ("Am 12.03.2025 in Berlin", "am 12.3.2025"),
            ("Am 12.03.2025 in Berlin", "on 2025-03-12"),
            ("Am 12.03.2025 in Berlin", "on March 12, 2025"),
            ("Am 12.03.2025 in Berlin", "on 12 March 2025, on March 12th"),
            ("Am 12.03.2025 in Berlin", "in March 2025"),
            ("Am 12. März 2025 in Berlin", "am 12.03.2025"),
            ("12. März 2025", "am 12.03.2025"),
            ("12 marca 2025", "12.03.2025"),
            ("12 марта 2025", "12.03.2025"),
            ("12 Mart 2025", "12.03.2025"),
            ("on March 12th, 2025", "am 12.03.2025"),
            ("2025-03-12", "am 12.03.2025"),
            ("12. Dezember 2025: Start", "12. Dezember 2025: Start"),
            // The year first.
            ("2025.03.12", "2025년 3월 12일"),
            ("2025.03.12", "2025年3月12日, March 12, 2025"),
            ("2025년 3월 12일", "2025.03.12"),
            ("2025. 3. 12.", "2025.03.12"),
            ("2025年3月12日", "am 12.03.2025"),
            // With blanks.
            ("12. března 2025", "dne 12. 3. 2025"),
            ("12. 3. 2025", "12.3.2025"),
            // Without a year.
            ("am 12.03. um 18 Uhr", "am 12. März"),
            ("am 12.03. um 18 Uhr", "On March 12"),
            ("am 12. März um 18 Uhr", "am 12.03."),
            ("12.03.2025", "am 12.03."),
            ("12.03.–14.03.2025", "vom 12.03. bis zum 14. März 2025"),
        ],
        &[
            ("am 12.03.2025", "am 12.03.2024", &["12.03.2024"]),
            ("am 12.03.2025", "am 03.12.2025", &["03.12.2025"]),
            ("am 12.03.2025", "am 12. April 2025", &["12"]),
            ("am 12.03.2025", "am 12. April", &["12"]),
            ("am 12.03.2025", "am 13. März 2025", &["13"]),
            ("am 12.03.2025", "am 12. März 2024", &["12", "2024"]),
            ("am 12.03.2025", "on 2025-03-13", &["13"]),
            ("am 12.03.2025", "12 teams, 3 clouds", &["12", "3"]),
            ("am 12. März 2025", "am 12.04.2025", &["12.04.2025"]),
            ("2025.03.12", "2025년 3월 13일", &["13"]),
            ("2025.03.12", "12 teams", &["12"]),
            ("2025.3.12", "on March 12", &["March", "12"]),
            ("12.03.2025", "12. 4. 2025", &["12", "4"]),
            ("am 12.03.", "am 12.03.2025", &["12.03.2025"]),
            ("am 12.03.", "am 12.04.", &["12.04"]),
            ("am 12.03.", "12 teams", &["12"]),
            (
                "2025. 3. 12. 2025. 4. 14.",
                "am 03.12.2025",
                &["03.12.2025"],
            ),
            // A decimal at the end of a sentence.
            ("It costs 12.03. More", "am 12. März", &["12"]),
            ("12.03.2025", "It costs 12.03.", &["12.03"]),
            ("3 mai multe", "am 03.05.", &["03.05"]),
            // Each part stands there, of two dates.
            (
                "12. März 2025, 15. April 2025",
                "am 12.04.2025",
                &["12.04.2025"],
            ),
            ("2025-03-12, 2025-04-15", "am 15.03.2025", &["15.03.2025"]),
            ("12.03.2025, 15.04.2025", "am 15. März 2025", &["15"]),
            // A line that a day begins is no list.
            ("am 12. März 2025", "13. März 2025: Start", &["13"]),
            // No dates: a version, thirteen months, an address of a network.
            ("v1.2.3", "2 clouds", &["2"]),
            ("12.13.2025", "2025", &["2025"]),
            ("10.12.2025.1", "2025", &["2025"]),
            ("v12.03.2025", "2025", &["2025"]),
            ("up to 12. March 2025 began", "12.03.2025", &["12.03.2025"]),
            ("lot 2025-03-1234", "12.03.2025", &["12.03.2025"]),
            ("3 mai multe", "It came in May.", &["May"]),
            ("12. listopada 2025", "12.11.2025", &["12.11.2025"]),
        ],
    );
}

#[test]
fn one_time_of_day_is_one_however_it_is_written() {
    judge(
        &[
            ("Beginn 19.30 Uhr", "Beginn 19:30 Uhr"),
            ("Beginn 19:30 Uhr", "Beginn 19.30 Uhr"),
            ("ab 18.00 Uhr", "ab 18:00 Uhr"),
            ("ab 18 Uhr", "ab 18:00 Uhr, ab 18.00 Uhr"),
            ("Mo–Fr 9–18 Uhr", "9:00–18:00 Uhr"),
            ("10.00–18.30 Uhr", "von 10:00 bis 18:30 Uhr"),
            ("at 6 pm", "at 6:00 pm"),
            ("at 6 p.m.", "at 6:00 pm, 18:00"),
            ("at 6 o'clock", "at 6:00"),
            ("at 9am", "at 9:00 am"),
            ("at 7.30pm", "at 7:30pm, 7:30 pm, 19:30"),
            ("at 7:30 pm", "7.30pm, 19h30"),
            ("Uhr: à 19h30", "um 19:30 Uhr"),
            ("um 19:30", "à 19h30"),
            ("at six pm", "at 6:00 pm"),
            ("open 9 am to 6 pm", "9:00 am to 6:00 pm, until 18:00"),
            ("Doors 7:30 P.M.", "19:30"),
            ("Doors 7:30pm-9:30pm", "at 19:30"),
            ("at 12:30am", "at 00:30"),
            ("at 10:00 AM - 6 PM", "10.00 Uhr"),
        ],
        &[
            ("um 19:30 Uhr", "um 19:45 Uhr", &["45"]),
            ("um 19.30 Uhr", "um 19.45 Uhr", &["19.45"]),
            ("um 19.30 Uhr", "um 19 Uhr", &["19"]),
            ("um 18 Uhr", "um 18:30 Uhr", &["30"]),
            ("à 19h30", "à 20:30", &["20", "30"]),
            ("Uhr: at 7:30 pm", "um 7.30 Uhr", &["7.30"]),
            ("at 6 pm", "at 5:00 pm", &["5", "00"]),
            ("Uhr: at 6 pm", "um 6.30 Uhr", &["6.30"]),
            // Half a day apart.
            ("Uhr: 7:30–9:30 pm", "um 7.30 Uhr", &["7.30"]),
            ("Uhr: 7:30 to 9:30 pm", "um 7.30 Uhr", &["7.30"]),
            ("Uhr: 7:30, 9:30 pm", "um 7.30 Uhr", &["7.30"]),
            ("Uhr: 7:30pm-9:30pm", "um 7.30 Uhr", &["7.30"]),
            ("Uhr: Doors 7:30 P.M.", "um 7.30 Uhr", &["7.30"]),
            ("Uhr: Doors 7:30 Pm", "um 7.30 Uhr", &["7.30"]),
            ("Uhr: a las 7:30 p. m.", "um 7.30 Uhr", &["7.30"]),
            ("Uhr: at 12:30 am", "um 12.30 Uhr", &["12.30"]),
            // Prices, hours that something lasts, clocks to buy.
            ("Uhr: nur 19.30 am Montag", "um 19:30 Uhr", &["19", "30"]),
            ("it costs 19.30", "at 19:30", &["19", "30"]),
            ("starts 19:30", "it costs 19.30", &["19.30"]),
            ("starts 19:30", "€19.30pm", &["€19.30"]),
            ("for €19.30pm", "at 19:30", &["19", "30"]),
            ("open 24h", "at 24:00", &["00"]),
            ("Uhr: 12 am Tag", "um 12:00 Uhr", &["00"]),
            ("Uhr: 3 Uhren", "um 3:00 Uhr", &["00"]),
            ("Uhr: 18 teams", "um 18:00 Uhr", &["00"]),
            // Another minute is meant.
            ("halb 8 Uhr", "8:00 Uhr", &["00"]),
            ("half past six pm", "6:00 pm", &["00"]),
            ("starts 4:30", "GPT-4:30", &["GPT-4"]),
            ("18 Uhr 30", "18:00 Uhr", &["00"]),
            ("Uhr: 12:30:45", "um 12.30 Uhr", &["12.30"]),
            ("2h30m", "at 2:30", &["30"]),
            ("Uhr: at 25:10", "um 25.10 Uhr", &["25.10"]),
        ],
    );
}

#[test]
fn months_are_dates_not_names() {
    grounded("It came in November.");
    missing("It came in March.", "March", UngroundedKind::Figure);
    grounded("It may come.");
}
