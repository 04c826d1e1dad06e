//! Figures beside signs, letters and words.

use super::judge;

#[test]
fn a_sign_behind_one_number_is_not_the_next_ones() {
    judge(
        &[
            ("ab 9,99 €12 mtl.", "ab 9,99 €"),
            ("ab 9,99 €12 mtl.", "ab 9,99 €12 mtl."),
            ("à 349€99", "349,99 €"),
            ("à 349€99", "à 349€99"),
            ("349,99 €", "à 349€99 !"),
            ("349€99–499€50", "349,99 €, 499,50 €"),
            // The sign is the next one's.
            ("iPhone 15 €799", "799 €"),
            ("Set of 2 €15.99", "€15.99"),
            ("was €9.99 €12 now", "12 €"),
            ("Was $49 $29", "$29"),
            ("Pack of 3 $12", "$12"),
            ("10€20€30€", "20 €, 30 €"),
            ("Ages 5-12 €8", "Children pay €8."),
            ("Menu 1 €12 Menu 2 €15", "Now for €12"),
            ("Room 12 €95 per night", "From €95 per night"),
            ("Kids 6 €8", "only €8"),
        ],
        &[
            ("ab 9,99 €12 mtl.", "12 €", &["12 €"]),
            ("ab 9,99 €\u{a0}12 Monate", "12 €", &["12 €"]),
            ("1.299,00 €2", "€2", &["€2"]),
            ("9,99 EUR 24 Monate", "24 Euro", &["24 Euro"]),
            ("15 €, 12 pieces", "3 €12", &["3 €", "€12"]),
            ("à 349€99", "99 €", &["99 €"]),
            ("à 349€99", "349 €", &["349 €"]),
            ("à 349€99", "349€98", &["349€98"]),
            ("10€20%", "10,20 €", &["10,20 €"]),
            ("5€10GB", "5,10 €", &["5,10 €"]),
        ],
    );
}

#[test]
fn numbers_within_a_word_that_a_digit_begins_are_figures() {
    judge(
        &[
            ("à 19 h 30", "à 19h30"),
            ("19:30", "19h30"),
            ("Film : 1 h 45 min", "1h45"),
            ("3 min 30", "3min30"),
            ("1m80", "1m80"),
            // A name begins with a letter.
            ("B2B for A1b2", "B2B for A1b2"),
            ("H100 GPUs", "H100 GPUs"),
            // Sides.
            ("70 x 180 cm", "70x180 cm"),
            ("70x180 cm", "70 x 180 cm, 70×180 cm"),
            ("Format 50 x 70 cm", "50x70 cm"),
            ("Format 50 x 70 cm", "50 × 70 cm"),
            ("50 × 70 cm", "50 x 70 cm, 50X70 cm"),
            ("42 x 59,4 cm", "42x59,4 cm"),
            ("2 x 500 g", "2x500 g"),
            ("12 x 18 in", "12×18 in"),
            ("Größe: 30x20x10 cm", "30 x 20 x 10 cm"),
            ("30 x 20 x 10 cm", "30x20x10 cm"),
            ("50 cm breit, 70 cm hoch", "50 x 70 cm"),
            ("10x faster", "10x faster"),
            ("10x faster", "10 × faster"),
        ],
        &[
            ("Concert à 19h30", "Rendez-vous à 19h45", &["45"]),
            ("Concert à 19h30, 20 places", "à 20h15", &["15"]),
            ("Film : 1h45", "1h30", &["30"]),
            ("Foulard 70x180 cm", "70x140 cm", &["140"]),
            ("Foulard 70x180 cm", "80x180 cm", &["80"]),
            ("1920x1080", "1920x1200", &["1200"]),
            ("1m80", "1m60", &["60"]),
            ("3min30", "3min45", &["45"]),
            ("10 teams", "10x faster", &["10x"]),
            ("10 teams", "10 × faster", &["10 ×"]),
            ("3 teams, 20 €", "3x20 €", &["3"]),
            ("1920x1080", "1920x faster", &["1920x"]),
            ("10x5 cm", "10x faster", &["10x"]),
            ("10 teams, 5 clouds", "10x 5 faster", &["10x"]),
            // What stands within a word is no number of its own.
            ("Concert à 19h30", "30 places", &["30"]),
            ("1m80", "80 %", &["80 %"]),
        ],
    );
}

#[test]
fn a_blank_before_a_unit_may_be_thin_or_wide() {
    judge(
        &[
            ("20\u{2009}% Rabatt", "20 % Rabatt"),
            ("20 % Rabatt", "20\u{200a}% Rabatt"),
            ("9,90\u{2009}€", "9,90 €"),
            ("€\u{2007}9,90", "9,90 €"),
            ("3\u{2009}Mio.\u{2009}€", "3 Millionen Euro"),
            ("10\u{2007}000 Besucher", "10.000 Besucher"),
            ("10\u{200a}000 Besucher", "10\u{2009}000 Besucher"),
            ("50\u{3000}％OFF", "50%OFF"),
            (
                "um 18\u{2009}Uhr, am 12.\u{2009}März 2025",
                "18:00, 12.03.2025",
            ),
        ],
        &[
            ("20\u{2009}% Rabatt", "30 % Rabatt", &["30 %"]),
            ("20\u{2009}% Rabatt", "20 €", &["20 €"]),
            ("定員100\u{3000}円卓", "100円", &["100円"]),
            ("100\u{3000}200\u{3000}300", "100,200", &["100,200"]),
            ("2025\u{3000}万博", "2025万", &["2025万"]),
        ],
    );
}

#[test]
fn money_is_read_as_the_french_write_it() {
    judge(
        &[
            ("une levée de 5 M€", "5 millions d’euros"),
            ("5 millions d’euros", "5 M€, 5M€, 5 millions €"),
            ("5 millions d'euros", "5 millions d’euros"),
            ("2 milliards d’euros", "2 Md€"),
            ("30 k€", "30 000 €"),
            ("5 milioni di euro", "5 Mio. €"),
            ("5 millones de euros", "5 M€"),
            ("1,5 million d’utilisateurs", "1,5 million d’utilisateurs"),
            ("5 millions de clients", "5 millions"),
            ("paiement en 3 fois sans frais", "3x sans frais"),
            ("3x sans frais", "en 3 fois"),
        ],
        &[
            (
                "5 millions d’utilisateurs",
                "5 millions d’euros",
                &["5 millions d’euros"],
            ),
            ("5 M€", "5 €", &["5 €"]),
            ("5 M€", "5 k€", &["5 k€"]),
            ("5 M€", "5 millions de dollars", &["5 millions de dollars"]),
            ("5 millions de clients", "5 M€", &["5 M€"]),
            ("5 millions d’eurosceptiques", "5 M€", &["5 M€"]),
            ("5 M", "5 M€", &["5 M€"]),
            ("3 clients", "3x sans frais", &["3x"]),
        ],
    );
}

#[test]
fn a_number_with_its_currency_or_percent_sign_is_no_part_of_a_name() {
    judge(
        &[
            ("CHF 59", "Nur CHF59"),
            ("Nur CHF59", "CHF 59, 59 Franken"),
            ("SALE: 50%", "SALE-50%"),
            ("SALE-50 %", "SALE: 50 %"),
            ("BLACK FRIDAY: -50%", "BLACK-FRIDAY-50%"),
            ("Only SALE-20€", "20 €"),
            ("GPT-4 $20", "GPT-4 $20"),
            ("Euro6", "Euro6"),
        ],
        &[
            ("CHF 59", "Nur CHF49", &["CHF49"]),
            ("EUR 59", "nur EUR49", &["EUR49"]),
            ("SALE: 50%", "SALE-70%", &["70%"]),
            ("SALE: 50%", "SALE-70 % today", &["70 %"]),
            ("BLACK FRIDAY: -50%", "BLACK-FRIDAY-70%", &["70%"]),
            ("SALE: 20€", "SALE-30€", &["30€"]),
            ("GPT-4 $20", "$4", &["$4"]),
            ("Euro6", "6 €", &["6 €"]),
            ("XCHF59", "CHF 59", &["CHF 59"]),
        ],
    );
}

#[test]
fn an_ordinal_that_a_line_begins_with_is_no_list_item() {
    let list = "1. Deploy\n2. Relax\n3. Repeat";
    let fair = "25. Berliner Weihnachtsmarkt\n\nVom 24. November bis 31. Dezember 2025.";
    let program = "4. Dezember\nKonzert\n5. Dezember\nLesung";
    judge(
        &[
            (
                "25. Berliner Weihnachtsmarkt\n\nAb November",
                "Der 25. Berliner Weihnachtsmarkt",
            ),
            ("1. FC Köln siegt", "Der 1. FC Köln"),
            (program, "am 5. Dezember, am 4. Dezember"),
            (list, "1. Deploy\n2. Relax"),
        ],
        &[
            // Only before the word that it stands before there.
            (fair, "öffnet am 25. November", &["25"]),
            (fair, "endet am 25. Dezember", &["25"]),
            (fair, "Buden: 25. Der Eintritt ist frei.", &["25"]),
            (fair, "Buden: nur 25. Jetzt hin!", &["25"]),
            ("7. Kölner Kunstmesse\n\nAb März.", "am 7. März", &["7"]),
            ("5. Dezember: Konzert", "am 5. November", &["5"]),
            ("25. Berliner Weihnachtsmarkt", "Der 24. Berliner", &["24"]),
            ("25. Berliner Weihnachtsmarkt", "25 Aussteller", &["25"]),
            ("25. Berliner Weihnachtsmarkt", "25 % Rabatt", &["25 %"]),
            ("25) Berliner Weihnachtsmarkt", "Der 25. Markt", &["25"]),
            (list, "Der 2. Platz", &["2"]),
            (list, "in 3 steps", &["3"]),
            ("1️⃣ Deploy", "Der 1. Platz", &["1"]),
            (program, "am 6. Dezember", &["6"]),
            (program, "5 Konzerte", &["5"]),
        ],
    );
}
