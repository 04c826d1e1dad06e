//! The template generator: the page's own words, in a shape for each network.

use automarket_core::{
    Context,
    ai::{Brief, Drafts, Generator as _, TemplateGenerator, source_text, ungrounded},
    source::Page,
    testing::{
        Script,
        conformance::generator::{self as suite, brief, hostile_pages, page},
    },
};

fn cx() -> Context {
    Context::new(Script::new())
}

async fn write(brief: &Brief) -> Drafts {
    TemplateGenerator.generate(&cx(), brief).await.unwrap()
}

fn text<'a>(drafts: &'a Drafts, network: &str) -> &'a str {
    let draft = drafts
        .texts
        .iter()
        .find(|draft| draft.network.as_str() == network);
    &draft.unwrap().text
}

#[tokio::test]
async fn it_keeps_the_generator_contract() {
    suite::generator(&TemplateGenerator, cx).await;
}

#[tokio::test]
async fn each_network_has_its_shape() {
    let drafts = write(&brief(page())).await;
    let (linkedin, x) = (text(&drafts, "linkedin"), text(&drafts, "x"));
    let (instagram, facebook) = (text(&drafts, "instagram"), text(&drafts, "facebook"));
    println!("{linkedin}\n=====\n{x}\n=====\n{instagram}\n=====\n{facebook}");

    assert!(linkedin.starts_with("How Lumen halved the energy bill of harbour lights\n\n"));
    assert!(linkedin.matches("\n\n").count() >= 5, "{linkedin}");
    assert!(
        linkedin.contains("52%"),
        "the figures are picked: {linkedin}"
    );
    assert_eq!(linkedin.matches('#').count(), 3);
    assert!(linkedin.contains("Read the whole story on Lumen."));

    assert!(x.chars().count() <= 255, "{x}");
    assert!(x.contains("Lumen"));

    assert_eq!(
        instagram.matches('#').count(),
        5,
        "no more than the network takes"
    );
    assert!(instagram.contains("\n\n") && instagram.contains("Link in bio."));

    assert!(facebook.ends_with("What do you think?"));
    assert!(!facebook.contains('#'));

    let mut all = vec![linkedin, x, instagram, facebook];
    all.dedup();
    assert_eq!(all.len(), 4);
    assert_eq!(
        drafts.name,
        "How Lumen halved the energy bill of harbour lights"
    );
}

#[tokio::test]
async fn no_more_hashtags_are_written_than_do_a_network_good() {
    let mut brief = brief(page());
    let instagram = &mut brief.targets[2].text;
    (instagram.max_hashtags, instagram.advised_hashtags) = (Some(30), Some(3));
    let drafts = write(&brief).await;
    assert_eq!(text(&drafts, "instagram").matches('#').count(), 3);
}

#[tokio::test]
async fn every_text_is_grounded_in_its_page() {
    let german = Page {
        title: Some("Solarstrom vom Balkon".into()),
        site_name: Some("Sonnenhof".into()),
        language: Some("de-AT".into()),
        text: "Mit zwei Modulen spart ein Haushalt 300 kWh im Jahr. Die Anlage von Sonnenhof kostet 499 Euro und hält 25 Jahre. \
            Die Montage dauert eine Stunde."
            .into(),
        ..Page::default()
    };
    let mut pages = hostile_pages();
    pages.extend([page(), german]);
    for page in pages {
        let Ok(drafts) = TemplateGenerator
            .generate(&cx(), &brief(page.clone()))
            .await
        else {
            continue;
        };
        for draft in &drafts.texts {
            let claims = ungrounded(&source_text(&page), &draft.text);
            assert_eq!(claims, [], "{}: {}", draft.network, draft.text);
        }
    }
}

#[tokio::test]
async fn other_languages_hold_the_pages_words_only() {
    let sentences = [
        "El nuevo faro ilumina el puerto durante toda la noche.",
        "Cuesta 300 euros al mes y ahorra mucha energía.",
    ];
    let page = Page {
        title: Some("El faro nuevo".into()),
        language: Some("es".into()),
        text: sentences.join(" "),
        url: page().url,
        ..Page::default()
    };
    let drafts = write(&brief(page)).await;
    for draft in &drafts.texts {
        let mut left = draft.text.clone();
        for known in sentences.iter().chain(&["El faro nuevo"]) {
            left = left.replace(known, "");
        }
        let words: Vec<&str> = left
            .split_whitespace()
            .filter(|word| !word.starts_with('#'))
            .collect();
        assert!(words.is_empty(), "{}: {words:?}", draft.network);
    }
}

#[tokio::test]
async fn banned_words_are_left_out() {
    let mut brief = brief(page());
    brief.voice.banned = vec!["energy bill".into(), "harbour".into()];
    let drafts = write(&brief).await;
    for draft in &drafts.texts {
        assert!(
            !draft.text.to_lowercase().contains("harbour "),
            "{}",
            draft.text
        );
        assert!(!draft.text.contains("#Harbour "), "{}", draft.text);
    }
}

#[tokio::test]
async fn banned_words_are_left_out_where_no_blank_parts_words() {
    let page = Page {
        title: Some("新的图书馆今天开放".into()),
        language: Some("zh".into()),
        text: "图书馆今天在城市中心正式开放并欢迎所有读者。阅览室对所有市民都是完全免费的服务。这里一共收藏了三万册图书和两百种杂志。"
            .into(),
        ..Page::default()
    };
    let mut brief = brief(page);
    brief.voice.banned = vec!["免费".into()];
    for draft in write(&brief).await.texts {
        assert!(!draft.text.contains("免费"), "{}", draft.text);
        assert!(draft.text.contains("图书馆"), "{}", draft.text);
    }
}

#[tokio::test]
async fn the_same_page_gives_the_same_texts() {
    let brief = brief(page());
    assert_eq!(write(&brief).await, write(&brief).await);
}
