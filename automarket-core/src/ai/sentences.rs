//! Sentences and cleaned text, as the generator and the grounding check read them.

use unicode_segmentation::UnicodeSegmentation as _;

/// Words that end in a full stop without ending a sentence, in the languages we meet most.
const ABBREVIATIONS: &str = "mr mrs ms dr prof st sr jr vs inc ltd co corp no nr approx est dept fig e.g i.e \
    a.m p.m u.s u.k bzw z.b d.h ca usw bspw abs tel mme mlle env etc sra sres ud art pág ex";

/// Such as may end one too (`3,5 Mio.`): two sentences read as one are better than half a one that is posted. What stands
/// behind them may well begin a sentence, and so need be no name.
const ENDING_TOO: &str = "zzgl abzgl inkl exkl incl excl einschl mio mrd tsd max min máx mín ggf evtl vgl std geb usf \
    bzgl insb sog hr fr jan febr feb apr aug sept okt oct nov dez dec dic déc janv févr avr juil tél réf bd av avda uds \
    dra aprox núm sig sig.ra dott dott.ssa avv ecc";

/// The sentences of a text, trimmed and never empty. A line break ends one; an abbreviation, an initial
/// (`J. Doe`) and a short ordinal (`3. Mai`) do not.
pub(crate) fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for line in text.lines() {
        let mut start = 0;
        for (at, piece) in line.split_sentence_bound_indices() {
            let end = at + piece.len();
            let Some(so_far) = line.get(start..end) else {
                continue;
            };
            if end < line.len() && ends_in(so_far, |word| listed(word) || may_end(word)) {
                continue;
            }
            let sentence = so_far.trim();
            if !sentence.is_empty() {
                found.push(sentence);
            }
            start = end;
        }
    }
    found
}

/// Whether the full stop at the end belongs to the last word, and to no sentence.
pub(crate) fn ends_in_abbreviation(text: &str) -> bool {
    ends_in(text, listed)
}

fn ends_in(text: &str, listed: impl Fn(&str) -> bool) -> bool {
    let Some(text) = text.trim_end().strip_suffix('.') else {
        return false;
    };
    let word = text
        .rsplit(|c: char| c.is_whitespace() || c == '(')
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let mut chars = word.chars();
    match (chars.next(), chars.next()) {
        (Some(only), None) => only.is_alphanumeric(),
        (Some(a), Some(b)) if word.len() == 2 => {
            (a.is_ascii_digit() && b.is_ascii_digit()) || listed(&word)
        }
        _ => listed(&word),
    }
}

fn listed(word: &str) -> bool {
    ABBREVIATIONS.split_whitespace().any(|known| known == word)
}

fn may_end(word: &str) -> bool {
    // `Ehrenstr.`
    word.ends_with("str") || ENDING_TOO.split_whitespace().any(|known| known == word)
}

/// Page text as data: one space for each run of blanks, line breaks kept, and none of the characters that
/// show nothing but steer (controls, direction overrides, tag characters but for those of the three [`FLAGS`]).
pub(crate) fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        let before = out.len();
        for word in line.split(|c: char| c.is_whitespace() || c.is_control()) {
            let at = out.len();
            if at > before {
                out.push(' ');
            }
            let word_at = out.len();
            push_visible(word, &mut out);
            if out.len() == word_at {
                out.truncate(at);
            }
        }
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out
}

/// What follows a black flag in those of England, Scotland and Wales: `gbeng`, `gbsct` and `gbwls` in tag characters.
/// Unicode recommends no others; behind a flag a page could hide from people what a model reads.
const FLAGS: [&str; 3] = [
    "\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0073}\u{e0063}\u{e0074}\u{e007f}",
    "\u{e0067}\u{e0062}\u{e0077}\u{e006c}\u{e0073}\u{e007f}",
];

fn push_visible(word: &str, out: &mut String) {
    let mut rest = word.chars();
    while let Some(c) = rest.next() {
        if !steers(c) {
            out.push(c);
        }
        let tags = FLAGS.iter().filter(|_| c == '\u{1f3f4}');
        let mut tags = tags.filter_map(|tags| Some((tags, rest.as_str().strip_prefix(tags)?)));
        if let Some((tags, after)) = tags.next() {
            out.push_str(tags);
            rest = after.chars();
        }
    }
}

fn steers(c: char) -> bool {
    matches!(
        c,
        '\u{200b}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
    ) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_end_where_a_reader_ends_them() {
        assert_eq!(
            sentences("Dr. Roe met J. Doe at Acme Inc. in May. They signed.\n\nDone? Yes!"),
            [
                "Dr. Roe met J. Doe at Acme Inc. in May.",
                "They signed.",
                "Done?",
                "Yes!"
            ]
        );
        assert_eq!(
            sentences("Am 3. Mai geht es los. 今日は。明日も。"),
            ["Am 3. Mai geht es los.", "今日は。", "明日も。"]
        );
    }

    #[test]
    fn no_half_sentence_ends_at_an_abbreviation() {
        for whole in [
            "Der Preis beträgt 89,90 € zzgl. Versandkosten.",
            "Das Unternehmen investiert 2026 rund 3,5 Mio. Euro in ein Werk.",
            "Der Kurs findet in der Ehrenstr. 12, Köln statt.",
            "Sie finden uns in der Ehrenstr. Ecke Breite Straße.",
            "Alle Preise verstehen sich inkl. MwSt. und Versand.",
            "Pro Kurs max. 12 Personen, min. Alter 16 Jahre.",
            "Die Halle fasst ca. 200 Gäste, ggf. Stehplätze bzw. Balkone.",
            "Am 12. Dez. Konzert im Haus Nr. 7.",
            "Le spectacle dure 45 min. Tarif unique, tél. 01 23, bd. Voltaire.",
            "Los precios parten de aprox. 300 euros en la avda. Goya.",
            "Parla il dott. Rossi con la sig.ra Bianchi.",
        ] {
            assert_eq!(sentences(whole), [whole]);
        }
        // Which may end one too: two sentences in one are better than half a one.
        assert_eq!(sentences("Es sind 3,5 Mio. Die Welt staunt.").len(), 1);
        assert_eq!(sentences("Es sind 3,5 Mio.\nDie Welt staunt.").len(), 2);
        let ends = sentences("89,90 € inkl. MwSt. Der Versand ist frei.");
        assert_eq!(ends, ["89,90 € inkl. MwSt.", "Der Versand ist frei."]);
    }

    #[test]
    fn cleaned_text_shows_all_that_it_says() {
        assert_eq!(
            clean("a\u{202e}b\u{0}  c \r\n\u{e0041}\u{e0042}\n\nd\u{feff}"),
            "ab c\n\n\nd"
        );
        assert_eq!(clean("👩\u{200d}💻"), "👩\u{200d}💻");
    }

    #[test]
    fn the_flags_of_england_scotland_and_wales_stay_whole() {
        let tagged = |letters: &str| {
            let tags = letters
                .bytes()
                .map(|b| char::from_u32(0xe0000 + u32::from(b)));
            tags.map(Option::unwrap).collect::<String>()
        };
        for region in ["gbeng", "gbsct", "gbwls"] {
            let title = format!("\u{1f3f4}{}\u{e007f} win", tagged(region));
            assert_eq!(clean(&title), title);
        }
        assert_eq!(clean("a\u{e0041}"), "a");
        // What a flag would hide from people, a model would read.
        let smuggled = format!("\u{1f3f4}{}\u{e007f} win", tagged("obey me"));
        assert_eq!(clean(&smuggled), "\u{1f3f4} win");
        let after = format!("\u{1f3f4}{}\u{e007f}{}", tagged("gbeng"), tagged("obey"));
        assert_eq!(clean(&after), after.trim_end_matches(&tagged("obey")));
    }
}
