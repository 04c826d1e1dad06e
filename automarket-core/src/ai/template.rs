use super::{
    Brief, Draft, Drafts, Generator, Usage, extract::Material, prompt::limit, writer::writable,
};
use crate::{
    Context, Platform, Result, async_trait,
    profile::{LinkPlace, Profile, TextRules, TextUnit},
    text::{count, fit, length},
};

/// Writes texts from the page's own words by fixed rules: no key, no network, the same page gives the same
/// texts, each of another shape per network and never over its limit less the room that the brief reserves.
///
/// It picks the sentences that say most (by place, length, figures, words shared with the title) and makes hashtags
/// of frequent words. Only for English pages does it add a closing line of its own; texts in every other language
/// hold the page's words and nothing else. A brand's disclosure is not written here: its room is reserved, and who
/// publishes adds it. `InvalidInput` (`page`) for a page with neither title nor text.
#[derive(Clone, Copy, Debug, Default)]
pub struct TemplateGenerator;

#[async_trait]
impl Generator for TemplateGenerator {
    fn name(&self) -> &str {
        "template"
    }

    async fn generate(&self, _cx: &Context, brief: &Brief) -> Result<Drafts> {
        writable(brief)?;
        let material = Material::read(brief);
        let texts = brief
            .targets
            .iter()
            .enumerate()
            .map(|(at, target)| Draft {
                network: target.platform.clone(),
                text: write(&material, target, limit(brief, at)),
            })
            .collect();
        let first = || material.sentences.first().cloned();
        let title = material.title.clone().or_else(first).unwrap_or_default();
        let about = material.description.clone().or_else(first);
        Ok(Drafts {
            name: shortened(&title, 80),
            description: shortened(&about.unwrap_or(title), 300),
            texts,
            generator: self.name().to_owned(),
            model: None,
            prompt_hash: None,
            usage: Usage::default(),
            repairs: 0,
        })
    }
}

fn shortened(text: &str, limit: usize) -> String {
    let rules = TextRules {
        unit: TextUnit::Graphemes,
        limit: Some(limit),
        ..TextRules::default()
    };
    fit(text, &rules, None).text
}

/// A piece of a text: pieces are taken in the order of their rank as long as they fit, and stand in the order
/// they are written down.
struct Piece {
    rank: u8,
    text: String,
    before: &'static str,
    /// Only if no other piece of this rank was taken.
    alone: bool,
}

fn piece(rank: u8, text: impl Into<String>) -> Piece {
    Piece {
        rank,
        text: text.into(),
        before: "\n\n",
        alone: false,
    }
}

fn write(material: &Material, target: &Profile, limit: Option<usize>) -> String {
    let pieces = if target.platform == Platform::INSTAGRAM {
        visual(material, target)
    } else if target.platform == Platform::FACEBOOK {
        talk(material)
    } else if target.text.limit.is_some_and(|limit| limit <= 600) {
        short(material, target)
    } else {
        article(material, target)
    };
    assemble(pieces, &target.text, limit)
}

/// LinkedIn and all that takes long texts: hook, summary, points, closing, three hashtags.
fn article(material: &Material, target: &Profile) -> Vec<Piece> {
    let mut rest = material.sentences.iter();
    let mut pieces = Vec::new();
    pieces.extend(
        material
            .title
            .as_ref()
            .or_else(|| rest.next())
            .map(|text| piece(0, text)),
    );
    pieces.extend(
        material
            .description
            .as_ref()
            .or_else(|| rest.next())
            .map(|text| piece(1, text)),
    );
    pieces.extend(
        (3..)
            .zip(rest.take(4))
            .map(|(rank, text)| piece(rank, text)),
    );
    let closing = match &material.site {
        Some(site) if material.english && material.linked => {
            Some(format!("Read the whole story on {site}."))
        }
        Some(site) => Some(site.clone()),
        None if material.english && material.linked => {
            Some("Read on for the whole story.".to_owned())
        }
        None => None,
    };
    pieces.extend(closing.map(|text| piece(8, text)));
    pieces.extend(hashtags(material, target, 3).map(|tags| piece(2, tags)));
    pieces
}

/// X and all that takes short texts: the title and the first of summary and sentences that fits beside it.
fn short(material: &Material, target: &Profile) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = material.title.iter().map(|text| piece(0, text)).collect();
    let rank = u8::from(!pieces.is_empty());
    let said = material.description.iter().chain(&material.sentences);
    pieces.extend(said.map(|text| Piece {
        alone: true,
        ..piece(rank, text)
    }));
    pieces.extend(hashtags(material, target, 1).map(|tags| Piece {
        before: " ",
        ..piece(2, tags)
    }));
    pieces
}

/// Instagram: short lines, then hashtags.
fn visual(material: &Material, target: &Profile) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = material.title.iter().map(|text| piece(0, text)).collect();
    let mut said: Vec<&String> = material
        .sentences
        .iter()
        .chain(&material.description)
        .collect();
    said.sort_by_key(|text| text.chars().count());
    let mut lines: Vec<&String> = said.into_iter().take(3).collect();
    // Back in the order of the page.
    lines.sort_by_key(|text| material.sentences.iter().position(|one| one == *text));
    pieces.extend(
        (0..)
            .zip(lines)
            .map(|(at, text)| piece(if at == 0 { 1 } else { at + 2 }, text)),
    );
    if material.english && material.linked && target.text.link == LinkPlace::NotClickable {
        pieces.push(piece(6, "Link in bio."));
    }
    pieces.extend(hashtags(material, target, 8).map(|tags| piece(2, tags)));
    pieces
}

/// Facebook: what it is about in two sentences, where it comes from, and a question.
fn talk(material: &Material) -> Vec<Piece> {
    let mut said = material.description.iter().chain(&material.sentences);
    let mut pieces = Vec::new();
    pieces.extend(said.next().map(|text| piece(0, text)));
    pieces.extend(said.next().map(|text| Piece {
        before: " ",
        ..piece(2, text)
    }));
    pieces.extend(material.title.as_ref().map(|text| piece(1, text)));
    if material.english && pieces.len() > 1 {
        pieces.push(piece(3, "What do you think?"));
    }
    pieces
}

fn hashtags(material: &Material, target: &Profile, most: usize) -> Option<String> {
    let rules = &target.text;
    let most = [rules.max_hashtags, rules.advised_hashtags]
        .into_iter()
        .flatten()
        .fold(most, usize::min);
    let tags: Vec<String> = material
        .tags
        .iter()
        .take(most)
        .map(|tag| format!("#{tag}"))
        .collect();
    (!tags.is_empty()).then(|| tags.join(" "))
}

fn assemble(mut pieces: Vec<Piece>, rules: &TextRules, limit: Option<usize>) -> String {
    let fits = |text: &str| {
        limit.is_none_or(|limit| length(text, rules) <= limit)
            && rules.also.is_none_or(|(unit, most)| {
                let reserved = rules.limit.zip(limit).map_or(0, |(all, left)| all - left);
                count(text, unit, rules.url_length) + reserved <= most
            })
    };
    // The first piece is shortened where it must be, all others are left out.
    if let Some(first) = pieces.iter_mut().min_by_key(|piece| piece.rank)
        && !fits(&first.text)
    {
        first.text = fit(&first.text, rules, limit).text;
    }
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.sort_by_key(|at| pieces.get(*at).map(|piece| piece.rank));
    let mut taken: Vec<usize> = Vec::new();
    for at in order {
        let Some(next) = pieces.get(at) else { continue };
        let same_rank = |one: &usize| {
            pieces
                .get(*one)
                .is_some_and(|piece| piece.rank == next.rank)
        };
        if next.alone && taken.iter().any(same_rank) {
            continue;
        }
        let place = taken.partition_point(|one| *one < at);
        taken.insert(place, at);
        if !fits(&joined(&pieces, &taken)) {
            taken.remove(place);
        }
    }
    joined(&pieces, &taken)
}

fn joined(pieces: &[Piece], taken: &[usize]) -> String {
    let mut text = String::new();
    for piece in taken.iter().filter_map(|at| pieces.get(*at)) {
        if !text.is_empty() {
            text.push_str(piece.before);
        }
        text.push_str(&piece.text);
    }
    text
}
