//! Figures in words.

use automarket_core::ai::ungrounded;
use proptest::prelude::*;

use super::judge;

const LAMPS: &str = "We make lamps.";

#[test]
fn number_words_before_what_they_count_are_figures() {
    let german = "Wir geben Rabatt auf die Lampen und das Licht.";
    judge(
        &[],
        &[
            (
                LAMPS,
                "Now fifty percent off, only nineteen dollars, trusted by two million teams.",
                &["fifty percent", "nineteen dollars", "two million"],
            ),
            (
                LAMPS,
                "(Twenty five per cent) less, five times faster.",
                &["Twenty five per cent", "five times"],
            ),
            (
                LAMPS,
                "one million dollars for five thousand lamps, two hundred and fifty euros each",
                &[
                    "one million dollars",
                    "five thousand",
                    "two hundred and fifty euros",
                ],
            ),
            (
                german,
                "Jetzt fünfzig Prozent Rabatt, nur neunzehn Euro für drei Millionen Lampen.",
                &["fünfzig Prozent", "neunzehn Euro", "drei Millionen"],
            ),
            ("twenty-five percent", "20%", &["20%"]),
            ("two hundred teams", "2 teams", &["2"]),
            (
                "nineteen dollars",
                "nineteen percent",
                &["nineteen percent"],
            ),
            ("$19", "ninety dollars", &["ninety dollars"]),
        ],
    );
}

#[test]
fn words_and_digits_cover_each_other() {
    for (words, digits) in [
        ("fifty percent", "50 %"),
        ("twenty-five per cent", "25%"),
        ("twenty five percent", "25%"),
        ("nineteen dollars", "$19"),
        ("two million teams", "2,000,000 teams"),
        ("two hundred dollars", "$200"),
        ("two hundred and fifty euros", "250 €"),
        ("one hundred fifty thousand dollars", "$150,000"),
        ("twelve hundred dollars", "$1,200"),
        ("ten times faster", "10x faster"),
        ("fünfzig Prozent", "50 %"),
        ("fünfundzwanzig Prozent", "25 %"),
        ("zwölf Millionen Euro", "12 Mio. €"),
        // In a text these are no figures, in a source they are.
        ("a hundred teams", "100 teams"),
        ("one hundred percent", "100%"),
        ("a million dollars", "$1 million"),
        ("a hundred and fifty teams", "150 teams"),
        ("half a million teams", "500,000 teams"),
        ("eine halbe Million Nutzer", "0,5 Mio. Nutzer"),
        ("eine Million Euro", "1 Mio. €"),
        ("un million d'euros", "1 M€"),
        ("two and a half hours", "2.5 hours"),
        ("two and a half million", "2,5 million"),
        ("two and a half hours", "2 hours"),
        ("eineinhalb Stunden", "1,5 Stunden"),
        ("half of it", "50%"),
        ("half a cup", "0.5 cups"),
        ("It doubled, then tripled", "2x, 3x"),
        ("a fivefold gain", "5x"),
        ("fünffach", "5x"),
        ("acht Lampen", "8 Lampen"),
        // Signs.
        ("2½ hours", "2.5 hours"),
        ("1½ hours", "one and a half hours"),
        ("½ cup", "0.5 cups, 1/2 cup, half a cup"),
        ("two 500 euro vouchers", "500 euro, 2 vouchers"),
        ("um halb acht Uhr", "um halb 8 Uhr"),
        ("½ off", "50% off, half off"),
        ("¼ less, ¾ more", "25% less, 75% more"),
    ] {
        judge(&[(words, digits), (digits, words), (words, words)], &[]);
    }
}

#[test]
fn ways_of_speaking_are_no_figures() {
    for text in [
        "There are two ways, one click and three steps.",
        "One of the best, one of a kind, for the first time, in a second, second to none.",
        "It is one in a million. A million thanks, a thousand thanks! Thanks a million.",
        "A thousand words, a hundred reasons, one million reasons, ten million reasons.",
        "One thousand and one nights, ten thousand hours, ten thousand steps.",
        "The thirty-thousand-foot view, the million-dollar question, a five-dollar word.",
        "The sixty-four-thousand-dollar question. Two million-dollar ideas.",
        "You are one hundred percent right, two hundred percent, one percent better.",
        "Give one hundred and ten percent. I am five million percent sure.",
        "A hundred times better, a thousand times yes, one thousand times more.",
        "Every one dollar counts, not one euro more, zero dollars, zero percent hassle.",
        "Use it three times a day, two times in a row, one more time, two times more.",
        "Nine times out of ten. We met five times as guests. Five by five.",
        "The gain is twofold. It doubled, tripled, quadrupled and halved.",
        "On the one hand, at one stop, half the work, half of it, half off-road, half price.",
        "A double room, a triple win, think twice, all in one, twenty-four seven, fifty-fifty.",
        "The first two weeks, ten out of ten, five stars, nine to five, five-star.",
        "Five pounds of flour, ten percentage points, my two cents, two dollar signs.",
        "In two thousand and five, in nineteen ninety-nine, since two thousand nineteen.",
        "No pounds but ten pounds lighter. A dollar, a euro, a few million, several thousand.",
        "½ a moment, ① soft ② warm, m², Ⅷ, lamps¹.",
        "See https://acme.dev/fifty-percent and #fifty percent_off",
        // Other languages.
        "Un smartphone tout neuf, une lampe, neuf fois sur dix, une sur six, mille mercis.",
        "Ein Licht, acht geben, Achtung, eine Million Gründe, tausend Dank, zwei Dinge, vielfach.",
        "Hundert Prozent, ein Euro, ein Prozent, drei TL Salz, zu zweit, in einer Million Jahren.",
        "La once es para todos, un millón de gracias, una vez, dos por uno.",
        "Sei la luce, sei milioni, tre volte, mille grazie.",
        "Een lamp, één euro, ten euro, ten minste, elf dagen.",
        "Um milhão de obrigados, uma vez, dois em um.",
        "Ten milion złotych, ten procent, ten dolar.",
    ] {
        let source = "We make lamps, see https://acme.dev/fifty-percent";
        let claims = ungrounded(source, text);
        let figures: Vec<_> = claims
            .iter()
            .filter(|claim| claim.kind != automarket_core::ai::UngroundedKind::Name)
            .collect();
        assert!(figures.is_empty(), "{text}: {figures:?}");
    }
}

#[test]
fn of_a_number_that_is_not_read_whole_no_part_is_a_figure() {
    judge(
        &[
            ("$19.99", "nineteen ninety-nine dollars"),
            ("$1,200", "one thousand two hundred dollars"),
            ("2,200 teams", "two thousand two hundred teams"),
            ("2.5 million", "two point five million"),
            ("2,5 Prozent", "zwei komma fünf Prozent"),
            ("2.5%", "two and a half percent"),
            ("$150", "one fifty dollars"),
            (
                "150 %",
                "hundred fifty percent, a hundred and fifty percent",
            ),
            (
                "5–10 %",
                "five to ten percent, between five and ten percent",
            ),
            ("5 or 10 dollars", "five or ten dollars"),
            ("$2,000–3,000", "two to three thousand dollars"),
            ("99.9%", "ninety-nine point nine percent"),
            (
                "$12.50",
                "twelve dollars and fifty cents, twelve dollars fifty",
            ),
            ("12,50 €", "zwölf Euro fünfzig, zwölf Euro und fünfzig Cent"),
            ("$2,500,000", "two million five hundred thousand dollars"),
        ],
        &[],
    );
}

proptest! {
    #[test]
    fn a_text_of_number_words_is_grounded_in_itself(
        words in prop::collection::vec(
            "two|ten|fifty|five|one|a|half|hundred|thousand|million|and|percent|dollars|times|faster|zehn|Prozent|Euro|[0-9]{1,3}|[$€]|[-–,.'(x½]",
            0..12,
        ),
        tight in any::<bool>(),
    ) {
        let text = words.join(if tight { "" } else { " " });
        prop_assert_eq!(ungrounded(&text, &text), []);
        let text = words.concat().replace("and", " and ");
        prop_assert_eq!(ungrounded(&text, &text), []);
    }
}
