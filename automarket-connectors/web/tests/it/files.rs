use automarket_connector_web::FilePages;
use automarket_core::{Context, ErrorKind, PageSource, testing::Script};

fn cx() -> Context {
    Context::new(Script::new())
}

#[tokio::test]
async fn reads_a_saved_page() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.html");
    std::fs::write(&path, "<title>Saved</title><p>One <a href=/two>two</a>").unwrap();
    let path = path.to_str().unwrap();
    let page = FilePages::new().read(&cx(), path).await.unwrap();
    assert_eq!((page.title.as_deref(), page.url), (Some("Saved"), None));
    assert_eq!(page.markdown, "One two");
}

#[tokio::test]
async fn says_what_is_wrong_with_a_path() {
    let folder = tempfile::tempdir().unwrap();
    let pdf = folder.path().join("a.html");
    std::fs::write(&pdf, "%PDF-1.7").unwrap();
    let missing = folder.path().join("missing.html");
    for (path, kind) in [
        (missing.as_path(), ErrorKind::NotFound),
        (folder.path(), ErrorKind::InvalidInput),
        (pdf.as_path(), ErrorKind::UnexpectedReply),
    ] {
        let error = FilePages::new().read(&cx(), path.to_str().unwrap()).await;
        assert_eq!(error.unwrap_err().kind(), kind, "{path:?}");
    }
    let device = FilePages::new().read(&cx(), "/dev/zero").await;
    assert_eq!(device.unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn of_a_huge_file_the_beginning_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.html");
    let text = format!("<p>first{}", "<p>some more words".repeat(1_200_000));
    std::fs::write(&path, text).unwrap();
    let page = FilePages::new()
        .read(&cx(), path.to_str().unwrap())
        .await
        .unwrap();
    assert!(page.truncated && page.text.starts_with("first"));
}
