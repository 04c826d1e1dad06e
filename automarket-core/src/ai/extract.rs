//! What is worth saying of a page, in its own words: key sentences and frequent words.

use std::collections::{BTreeMap, HashSet};

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Brief,
    sentences::{clean, sentences},
};
use crate::text::Words;

/// Characters of the main text that are read: what is said later is not the point of the page.
const READ: usize = 60_000;

/// Sentences that are kept.
const KEY_SENTENCES: usize = 6;

/// Frequent words of four and more letters that say nothing, in the languages met most.
const STOP: &str = "about above after again against also always among another anyone anything around away back because become been before \
    being below between both came cannot come could does doing done down during each either else even ever every everything \
    first from gets give goes going gone have having here hers herself himself however into itself just keep kind know last \
    later less like likely look made make makes making many maybe more most much must need needs never next none nothing often once \
    only onto other others over really same seem seen several shall should since some something soon still such sure take than that their \
    them then there these they thing things this those through thus time times today together toward under until upon used using very want \
    ways well went were what when where whether which while whom whose will with within without would year years your yours able across \
    aber alle allem allen aller alles also andere anderen auch beim bereits damit dann dass dein denn deren dessen diese diesem diesen dieser \
    dieses doch dort durch eine einem einen einer eines erst etwas euch euer euren ganz gegen haben hatte hier ihnen ihre ihrem ihren ihrer immer \
    indem jede jedem jeden jeder jedes jetzt kann kein keine keinen können machen mehr mein meine möchten muss müssen nach nicht nichts noch \
    oder ohne schon sehr sein seine seinem seinen seiner selbst sich sind soll sollen sondern sowie über unser unsere unter viel viele vom \
    wann warum weil weiter welche wenn werden wieder will wird wirst wollen worden wurde wurden zwischen \
    alors ainsi après aussi autre autres avant avec avoir cela celle celui cette ceux chaque comme dans depuis donc elle elles encore entre \
    être faire fait leur leurs mais même moins notre nous parce peut plus pour quand quel quelle sans sera ses sont sous tous tout toute toutes très \
    vers vos votre vous était \
    ahora algo antes aquí aunque cada como contra cual cuando desde donde durante ella ellos entre eran eres esta estaba estado estar este esto \
    estos están hace hacer hasta más menos mientras mucho muchos nada nosotros nuestra nuestro otra otro otros para pero poco porque puede quien \
    sido siempre sobre solo también tanto tiene tienen todo todos vuestra \
    alla alle anche ancora avere avete come così cosa dalla dalle degli della delle dello dentro dopo dove ecco essere fatto hanno loro meno molto \
    nella nelle noi nostra nostro ogni oltre perché però poi prima quale quando quanto quella quelle quello questa queste questi questo sarà senza \
    siamo sono stata stato sulla tanto tutta tutte tutti tutto verso \
    ainda após aqui assim até cada depois dessa desse deste disso ela eles então essa esse esta está estão fazer foram isso isto mais mas mesmo muito \
    nessa nosso nossa onde para pela pelo pode porque qual quando quem seja sempre seus suas também tem toda todas todo todos uma você \
    alleen andere bent bij dan daar deze door echter eens eerst elke geen haar hebben heeft hier hoe hun iets jullie kunnen maar meer meest met \
    naar niet niets nog ook onder onze over veel voor waar wanneer want wat welke werd wij worden wordt zijn zich zoals zonder zou \
    https http www html";

/// Words that tell an English text when the page does not declare its language.
const ENGLISH: &str = "the and of to in is for with that you are";

/// What the texts are made of.
pub(super) struct Material {
    pub(super) title: Option<String>,
    pub(super) description: Option<String>,
    pub(super) site: Option<String>,
    /// The key sentences, in the order of the page.
    pub(super) sentences: Vec<String>,
    /// Hashtags without their marker, best first.
    pub(super) tags: Vec<String>,
    pub(super) english: bool,
    pub(super) linked: bool,
}

impl Material {
    pub(super) fn read(brief: &Brief) -> Self {
        let page = &brief.page;
        let banned = &brief.voice.banned;
        let allowed = |text: &str| {
            banned.is_empty() || {
                let words = Words::of(text);
                !banned.iter().any(|banned| words.say(banned))
            }
        };
        let line = |text: &Option<String>| {
            let text = clean(text.as_deref()?).replace('\n', " ");
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            (text.contains(char::is_alphanumeric) && allowed(&text)).then_some(text)
        };
        let title = line(&page.title);
        let description = line(&page.description).filter(|text| !same(text, title.as_deref()));
        let text: String = clean(&page.text).chars().take(READ).collect();
        let said: Vec<&str> = [&title, &description]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        let sentences = key_sentences(&text, &said, allowed);
        let site = line(&page.site_name);
        let all = format!("{}\n{text}", said.join("\n"));
        let tags = tags(&all, title.as_deref(), site.as_deref(), allowed);
        Self {
            english: is_english(page.language.as_deref(), &all),
            linked: page.url.is_some(),
            title,
            description,
            site,
            sentences,
            tags,
        }
    }
}

/// The sentences that say most, by their place, length, figures and words shared with the title.
fn key_sentences(text: &str, said: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let mut seen: HashSet<String> = said.iter().map(|text| text.to_lowercase()).collect();
    let fresh: Vec<&str> = sentences(text)
        .into_iter()
        .filter(|sentence| sentence.contains(char::is_alphabetic) && allowed(sentence))
        .filter(|sentence| seen.insert(sentence.to_lowercase()))
        .collect();
    let whole = |sentence: &&&str| {
        sentence.ends_with(['.', '!', '?', '…', '。', '！', '？', '؟', '।'])
            && (24..=320).contains(&width(sentence))
    };
    let mut chosen: Vec<&str> = fresh.iter().filter(whole).copied().collect();
    if chosen.is_empty() {
        chosen = fresh;
    }
    let title: HashSet<String> = said
        .first()
        .map(|title| long_words(title))
        .unwrap_or_default();
    let mut ranked: Vec<(usize, usize)> = chosen
        .iter()
        .enumerate()
        .map(|(at, sentence)| (score(at, sentence, &title), at))
        .collect();
    ranked.sort_by_key(|(score, at)| (std::cmp::Reverse(*score), *at));
    let mut kept: Vec<usize> = ranked
        .into_iter()
        .take(KEY_SENTENCES)
        .map(|(_, at)| at)
        .collect();
    kept.sort_unstable();
    kept.into_iter()
        .filter_map(|at| chosen.get(at).map(|sentence| (*sentence).to_owned()))
        .collect()
}

fn score(at: usize, sentence: &str, title: &HashSet<String>) -> usize {
    let place = 40 / (1 + at / 2);
    let length = match width(sentence) {
        60..=180 => 20,
        40..=240 => 10,
        _ => 0,
    };
    let figures = if sentence.contains(char::is_numeric) {
        10
    } else {
        0
    };
    let shared = long_words(sentence).intersection(title).count().min(3);
    let asks = sentence.ends_with(['?', '？', '؟']);
    (place + length + figures + shared * 8) / if asks { 2 } else { 1 }
}

/// How long it is to read: letters of scripts without blanks count twice.
fn width(text: &str) -> usize {
    text.chars()
        .map(|c| if c >= '\u{2e80}' { 2 } else { 1 })
        .sum()
}

fn long_words(text: &str) -> HashSet<String> {
    text.unicode_words()
        .map(str::to_lowercase)
        .filter(|word| word.chars().count() > 3)
        .collect()
}

/// The site's name and the frequent words of the page, those of its title first.
fn tags(
    text: &str,
    title: Option<&str>,
    site: Option<&str>,
    allowed: impl Fn(&str) -> bool,
) -> Vec<String> {
    let stop: HashSet<&str> = STOP.split_whitespace().collect();
    let title = title.map(long_words).unwrap_or_default();
    let mut counted: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let mut spelled: BTreeMap<String, String> = BTreeMap::new();
    for (at, word) in text.unicode_words().enumerate() {
        let lower = word.to_lowercase();
        let length = word.chars().count();
        let acronym = length == 3 && word.chars().all(char::is_uppercase);
        if (length < 4 && !acronym)
            || length > 24
            || !word.chars().all(char::is_alphabetic)
            || stop.contains(lower.as_str())
        {
            continue;
        }
        counted.entry(lower.clone()).or_insert((0, at)).0 += 1;
        // The spelling with most capitals is that of a name: `GitHub`, not `github`.
        let capitals = |word: &str| word.chars().filter(|c| c.is_uppercase()).count();
        let kept = spelled.entry(lower).or_insert_with(|| word.to_owned());
        if capitals(word) > capitals(kept) && capitals(word) < length {
            word.clone_into(kept);
        }
    }
    let mut ranked: Vec<(&String, &(usize, usize))> = counted.iter().collect();
    ranked.sort_by_key(|(word, (count, at))| {
        let bonus = if title.contains(*word) { 4 } else { 0 };
        (std::cmp::Reverse(count + bonus), *at)
    });
    let words = ranked
        .into_iter()
        .filter_map(|(word, _)| spelled.get(word))
        .map(|word| capitalised(word));
    let mut tags: Vec<String> = Vec::new();
    for tag in site.and_then(site_tag).into_iter().chain(words) {
        let new = !tags
            .iter()
            .any(|one| one.to_lowercase() == tag.to_lowercase());
        if new && allowed(&tag) {
            tags.push(tag);
        }
        if tags.len() == 8 {
            break;
        }
    }
    tags
}

fn site_tag(site: &str) -> Option<String> {
    let words: Vec<&str> = site.split_whitespace().collect();
    let fits = (1..=3).contains(&words.len())
        && words
            .iter()
            .all(|word| word.chars().all(char::is_alphabetic));
    let tag: String = words.iter().map(|word| capitalised(word)).collect();
    (fits && (3..=24).contains(&tag.chars().count())).then_some(tag)
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

fn same(text: &str, other: Option<&str>) -> bool {
    other.is_some_and(|other| other.to_lowercase() == text.to_lowercase())
}

fn is_english(declared: Option<&str>, text: &str) -> bool {
    if let Some(language) = declared.filter(|language| !language.is_empty()) {
        return language.to_lowercase().split(['-', '_']).next() == Some("en");
    }
    let words: Vec<&str> = text.unicode_words().take(400).collect();
    let hits = words
        .iter()
        .filter(|word| {
            ENGLISH
                .split_whitespace()
                .any(|one| one.eq_ignore_ascii_case(word))
        })
        .count();
    hits > 0 && hits * 10 >= words.len()
}
