//! Media: opened wherever it is, understood without decoding, sent without being held.

mod address;

use std::{
    io::{Seek as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::UNIX_EPOCH,
};

use automarket_core::{
    Bytes, Content, Context, ErrorKind, Media, Platform, Result, Retry, TenantId, async_trait,
    check::Severity,
    content::{MediaKind, MediaSource, Voice},
    http::{Body, Call, Effect, Guard, Multipart, ReqwestTransport, Transport, Upload},
    http_types::{Request, Response},
    media::{Facts, MediaFile, ReadRange, sniff},
    profile::{MediaLimit, MediaRules},
    store::Account,
    testing::{LocalMediaHost, ManualClock, Recorder, Sandbox, Script},
};
use futures_util::StreamExt as _;
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::alone;

const MIB: u64 = 1024 * 1024;

/// Bytes at a place in a file of any size, zeros elsewhere; counts what is read.
#[derive(Clone)]
struct Sparse {
    parts: Vec<(u64, Vec<u8>)>,
    read: Arc<AtomicU64>,
}

#[async_trait]
impl ReadRange for Sparse {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        self.read.fetch_add(length as u64, Ordering::Relaxed);
        let mut bytes = vec![0; length];
        for (at, part) in &self.parts {
            for (n, byte) in (*at..).zip(part) {
                if n >= offset && n < offset + length as u64 {
                    bytes[(n - offset) as usize] = *byte;
                }
            }
        }
        Ok(bytes.into())
    }
}

fn sparse(size: u64, parts: Vec<(u64, Vec<u8>)>) -> (MediaFile, Arc<AtomicU64>) {
    let read = Arc::new(AtomicU64::new(0));
    let file = Sparse {
        parts,
        read: read.clone(),
    };
    (MediaFile::new(size, file), read)
}

async fn facts(bytes: &[u8]) -> Facts {
    let (file, _) = sparse(bytes.len() as u64, vec![(0, bytes.to_vec())]);
    sniff(&file).await.unwrap()
}

fn png(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.extend([8, 6, 0, 0, 0]);
    bytes
}

/// With an Exif segment, a long colour profile and then the frame header.
fn jpeg(width: u16, height: u16, orientation: u8) -> Vec<u8> {
    let mut bytes =
        b"\xff\xd8\xff\xe1\0\x22Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01".to_vec();
    bytes.extend([0, orientation, 0, 0, 0, 0, 0, 0]);
    bytes.extend(b"\xff\xe2\xff\xff");
    bytes.extend(vec![0xff; 0xfffd]);
    bytes.extend(b"\xff\xff\xc2\0\x11\x08");
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes
}

fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let size = u32::try_from(content.len() + 8).unwrap();
    [&size.to_be_bytes()[..], name, content].concat()
}

/// The index of a film of 2.5 s with sound and a picture, which may be turned.
fn moov(width: u32, height: u32, turned: bool) -> Vec<u8> {
    let mut mvhd = vec![0; 100];
    mvhd[12..16].copy_from_slice(&600_u32.to_be_bytes());
    mvhd[16..20].copy_from_slice(&1500_u32.to_be_bytes());
    let track = |width: u32, height: u32| {
        let mut tkhd = vec![0; 84];
        let places: [usize; 2] = if turned { [44, 52] } else { [40, 56] };
        for at in places {
            tkhd[at..at + 4].copy_from_slice(&0x0001_0000_u32.to_be_bytes());
        }
        tkhd[76..80].copy_from_slice(&(width << 16).to_be_bytes());
        tkhd[80..84].copy_from_slice(&(height << 16).to_be_bytes());
        boxed(
            b"trak",
            &[boxed(b"edts", b""), boxed(b"tkhd", &tkhd)].concat(),
        )
    };
    let inner = [boxed(b"mvhd", &mvhd), track(0, 0), track(width, height)].concat();
    boxed(b"moov", &inner)
}

#[tokio::test]
async fn images_say_what_they_are() {
    let cases: [(Vec<u8>, &str, (u32, u32)); 8] = [
        (png(640, 480), "image/png", (640, 480)),
        (jpeg(4000, 3000, 1), "image/jpeg", (4000, 3000)),
        (jpeg(4000, 3000, 6), "image/jpeg", (3000, 4000)),
        (
            b"GIF89a\x20\x03\x58\x02\0\0\0".to_vec(),
            "image/gif",
            (800, 600),
        ),
        (
            b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x20\x03\x58\x02".to_vec(),
            "image/webp",
            (800, 600),
        ),
        // 800 - 1 | (600 - 1) << 14
        (
            b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x1f\xc3\x95\0".to_vec(),
            "image/webp",
            (800, 600),
        ),
        (
            b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x1f\x03\0\x57\x02\0\0".to_vec(),
            "image/webp",
            (800, 600),
        ),
        (png(0, 0), "image/png", (0, 0)),
    ];
    for (bytes, mime, (width, height)) in cases {
        let found = facts(&bytes).await;
        assert_eq!(found.mime, Some(mime));
        let size = (width > 0).then_some((width, height));
        assert_eq!(found.width.zip(found.height), size, "{mime}");
    }
    assert_eq!(facts(b"\0\0\0\x18ftypheic").await.mime, Some("image/heic"));
    assert_eq!(facts(b"").await, Facts::default());
    assert_eq!(facts(b"<html><body>").await, Facts::default());
}

#[tokio::test]
async fn the_index_of_a_film_is_found_wherever_it_is() {
    let ftyp = boxed(b"ftyp", b"isom\0\0\x02\0isomiso2");
    let expect = |found: Facts, width, height| {
        assert_eq!(found.kind, Some(MediaKind::Video));
        assert_eq!(found.mime, Some("video/mp4"));
        assert_eq!(found.width.zip(found.height), Some((width, height)));
        assert_eq!(found.seconds, Some(2.5));
    };
    let first = [ftyp.clone(), moov(1280, 720, false), boxed(b"mdat", b"...")].concat();
    expect(facts(&first).await, 1280, 720);
    // Behind 3 GiB of pictures, whose box has a long size.
    let pictures = 3 * 1024 * MIB;
    let at = ftyp.len() as u64;
    let mdat = [&1_u32.to_be_bytes()[..], b"mdat", &pictures.to_be_bytes()].concat();
    let index = moov(1280, 720, true);
    let size = at + pictures + index.len() as u64;
    let parts = vec![(0, ftyp), (at, mdat), (at + pictures, index)];
    let (film, read) = sparse(size, parts);
    expect(sniff(&film).await.unwrap(), 720, 1280);
    assert!(read.load(Ordering::Relaxed) <= 32 * 1024);
}

#[tokio::test]
async fn documents_say_their_pages_where_that_is_cheap() {
    let web = b"%PDF-1.7\n1 0 obj\n<< /Linearized 1 /L 9 /N 12 >>";
    assert_eq!(facts(web).await.pages, Some(12));
    let plain = b"%PDF-1.4\n<</Type/Pages/Count 2>> <</Type /Outlines /Count 90>> << /Type /Pages /Kids [] /Count 7 >>";
    let found = facts(plain).await;
    assert_eq!(
        (found.kind, found.pages),
        (Some(MediaKind::Document), Some(7))
    );
    assert_eq!(facts(b"%PDF-1.4\nnothing").await.pages, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever a file holds and however large it says it is: no panic, and a megabyte at the most.
    #[test]
    fn hostile_files_are_bounded(
        base in 0..6_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        tail in proptest::collection::vec(any::<u8>(), 0..64),
        grown in prop_oneof![Just(0), any::<u64>()],
    ) {
        let mut bytes = match base {
            0 => png(5, 5),
            1 => jpeg(5, 5, 8),
            2 => [boxed(b"ftyp", b"isom"), moov(5, 5, false)].concat(),
            3 => b"%PDF-1.4 << /Linearized 1 /N 4 >> << /Type /Pages /Count 3 >>".to_vec(),
            4 => b"RIFF\0\0\0\0WEBPVP8X\0\0\0\0\0\0\0\0\x1f\x03\0\x57\x02\0\0".to_vec(),
            _ => b"GIF89a".to_vec(),
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.extend(tail);
        let size = (bytes.len() as u64).max(grown);
        let (file, read) = sparse(size, vec![(0, bytes)]);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(sniff(&file)).unwrap();
        prop_assert!(read.load(Ordering::Relaxed) <= MIB);
    }
}

fn cx() -> Context {
    Context::new(Script::new())
}

#[tokio::test]
async fn files_and_bytes_are_inspected_without_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.bin");
    let film = [boxed(b"ftyp", b"qt  "), moov(640, 360, false)].concat();
    std::fs::write(&path, &film).unwrap();
    // Said to be an image; what it is counts.
    let mut media = Media::file(MediaKind::Image, &path);
    media.mime = Some("image/png".into());
    media.inspect(&cx(), &MediaRules::default()).await.unwrap();
    assert_eq!(media.kind, MediaKind::Video);
    assert_eq!(media.mime.as_deref(), Some("video/quicktime"));
    assert_eq!(media.bytes, Some(film.len() as u64));
    assert_eq!(
        (media.width, media.height, media.seconds),
        (Some(640), Some(360), Some(2.5))
    );

    let mut content = Content::text("x");
    content.media = vec![
        Media::image(png(8, 4), "image/png"),
        Media::address(MediaKind::Image, "https://acme.dev/a.png".parse().unwrap()),
    ];
    content.inspect_local(&cx()).await.unwrap();
    assert_eq!(
        (content.media[0].width, content.media[1].width),
        (Some(8), None)
    );

    for missing in [folder.path().join("missing"), folder.path().to_owned()] {
        content.media = vec![Media::file(MediaKind::Image, missing)];
        let error = content
            .inspect(&cx(), &MediaRules::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.field(), Some("media"));
        assert!(error.message().starts_with("media 1: "), "{error}");
    }
}

#[tokio::test]
async fn bytes_that_are_surely_not_what_they_are_said_to_be_are_a_blocker() {
    let rules = |content: &Content, platform: &Platform| {
        let profile = automarket_core::networks::profile(platform).unwrap();
        let report = automarket_core::check::check(content, &profile, &Voice::default());
        let blockers = report
            .findings
            .into_iter()
            .filter(|f| f.severity == Severity::Blocker);
        blockers.map(|finding| finding.rule).collect::<Vec<_>>()
    };
    let looked_into = async |media: Media| {
        let mut content = Content::text("x");
        content.media = vec![media.alt("A dot")];
        content.inspect_local(&cx()).await.unwrap();
        content
    };
    for mime in [
        "image/png",
        "image/jpg",
        "IMAGE/JPEG; q=1",
        "image/gif",
        "image/webp",
    ] {
        let content = looked_into(Media::image(vec![1, 2, 3], mime)).await;
        assert_eq!(
            rules(&content, &Platform::FACEBOOK),
            ["media.unrecognised"],
            "{mime}"
        );
        assert_eq!(
            rules(&content, &Platform::SLACK),
            [""; 0],
            "it takes any image"
        );
    }
    // What is said by the host himself is no finding of ours.
    let said = looked_into(Media::image(vec![1, 2, 3], "application/octet-stream")).await;
    for platform in [Platform::FACEBOOK, Platform::SLACK] {
        assert_eq!(rules(&said, &platform), ["media.mime"]);
    }
    // What our few parsers do not know, or nobody said.
    let mut unsaid = Media::image(vec![1, 2, 3], "");
    unsaid.mime = None;
    for media in [Media::image(vec![1, 2, 3], "image/tiff"), unsaid] {
        let content = looked_into(media).await;
        assert_eq!(rules(&content, &Platform::FACEBOOK), [""; 0]);
    }
    // It was not looked into.
    let mut content = Content::text("x");
    content.media = vec![Media::image(vec![1, 2, 3], "image/png").alt("A dot")];
    assert_eq!(rules(&content, &Platform::FACEBOOK), [""; 0]);
    content.media = vec![Media::image(vec![], "image/png").alt("A dot")];
    content.inspect_local(&cx()).await.unwrap();
    assert_eq!(rules(&content, &Platform::FACEBOOK), ["media.empty"]);
}

#[tokio::test]
async fn a_file_that_shrinks_is_an_error_and_not_a_short_upload() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&[7; 1000]).unwrap();
    let opened = Media::file(MediaKind::Image, file.path())
        .open(&cx())
        .await
        .unwrap();
    assert_eq!(opened.read(990, 10).await.unwrap(), vec![7; 10]);
    assert_eq!(
        opened.read(990, 11).await.unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
    file.as_file().set_len(500).unwrap();
    let error = Upload::file(opened).collect(2000).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::InvalidInput);
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_not_sent_as_half_of_each() {
    // In its place: as long as before, longer, shorter.
    let changes: [fn(&mut std::fs::File); 3] = [
        |file| file.write_all(&[8; 1000]).unwrap(),
        |file| file.set_len(1500).unwrap(),
        |file| file.set_len(600).unwrap(),
    ];
    for change in changes {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&[7; 1000]).unwrap();
        file.rewind().unwrap();
        // Long ago, so that no clock is too coarse for the change.
        file.as_file().set_modified(UNIX_EPOCH).unwrap();
        let media = Media::file(MediaKind::Video, file.path());
        let opened = media.open(&cx()).await.unwrap();
        assert_eq!(opened.read(0, 500).await.unwrap(), vec![7; 500]);
        change(file.as_file_mut());
        let error = opened.read(500, 500).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::InvalidInput, Retry::After(None))
        );
        assert_eq!(error.message(), "it changed while it was read");
        // From the beginning it is one again.
        let anew = media.open(&cx()).await.unwrap();
        assert_eq!(anew.all(2000).await.unwrap().len() as u64, anew.size());
    }
    // What takes its name is another file, and the one that is open stays as it is.
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    std::fs::write(path("film"), [7; 1000]).unwrap();
    std::fs::write(path("new"), [8; 1000]).unwrap();
    let media = Media::file(MediaKind::Video, path("film"));
    let opened = media.open(&cx()).await.unwrap();
    std::fs::rename(path("new"), path("film")).unwrap();
    assert_eq!(opened.all(1000).await.unwrap(), vec![7; 1000]);
}

#[tokio::test]
async fn the_host_opens_keys_and_gives_addresses_that_expire() {
    let host = LocalMediaHost::new();
    let tenant = TenantId::new("acme").unwrap();
    host.put(&tenant, "photo", png(3, 2));
    let clock = ManualClock::parse("2026-11-20T09:00:00Z");
    let sandbox = Sandbox::new()
        .with(Arc::new(host.clone()))
        .with_clock(Arc::new(clock.clone()));
    let of = |tenant: &str| {
        let account = Account::new(TenantId::new(tenant).unwrap(), Platform::INSTAGRAM, "1");
        Context::new(sandbox.clone())
            .with_clock(Arc::new(clock.clone()))
            .with_account(account)
    };
    let mut media = Media::host(MediaKind::Image, "photo");
    assert_eq!(
        media.open(&of("acme")).await.unwrap_err().kind(),
        ErrorKind::Config,
        "without a host"
    );
    let with_host = |tenant| of(tenant).with_media_host(Arc::new(host.clone()));
    let cx = with_host("acme");
    let error = media.open(&with_host("other")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "another tenant's");
    media.inspect(&cx, &MediaRules::default()).await.unwrap();
    assert_eq!((media.width, media.height), (Some(3), Some(2)));
    // Whoever has the address can fetch it, for an hour.
    let url = cx.public_address(&media).await.unwrap();
    let public = Media::address(MediaKind::Image, url.clone());
    assert_eq!(
        public.open(&cx).await.unwrap().all(100).await.unwrap(),
        png(3, 2)
    );
    assert_eq!(cx.public_address(&public).await.unwrap(), url);
    clock.advance(automarket_core::chrono::TimeDelta::minutes(61));
    assert_eq!(
        public.open(&cx).await.unwrap_err().kind(),
        ErrorKind::InvalidInput
    );
}

#[tokio::test]
async fn fakes_see_a_streamed_form_whole() {
    let (file, _) = sparse(600 * 1024, vec![(0, b"begin".to_vec())]);
    let form = |stream: bool| {
        let content = Upload::range(file.clone(), 0, 5);
        let form = Multipart::new().text("a", "1");
        if stream {
            form.stream("media", "a \"b\".png", "image/png", content)
        } else {
            form.file("media", "a \"b\".png", "image/png", b"begin")
        }
    };
    let mut sent = Vec::new();
    for stream in [true, false] {
        let wire = Script::new()
            .expect("POST", "https://api.example.com/m")
            .reply(200, "ok");
        let recorder = Recorder::new(wire);
        let call = Call::post("m", "https://api.example.com/m")
            .unwrap()
            .multipart(form(stream));
        assert_eq!(call.request().body().is_empty(), stream);
        Context::new(recorder.clone()).call(call).await.unwrap();
        let request = recorder.requests().remove(0);
        let kind = request.headers()["content-type"].to_str().unwrap();
        let (_, boundary) = kind.split_once("boundary=").unwrap();
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        sent.push((body.replace(boundary, "boundary"), boundary.to_owned()));
    }
    assert_eq!(sent[0].0, sent[1].0);
    // Nobody can write a file that ends its part.
    assert_ne!(sent[0].1, sent[1].1);
    // More than a fake can hold is not sent.
    let (film, read) = sparse(1 << 31, Vec::new());
    let call = Call::post("m", "https://api.example.com/m").unwrap();
    let call = call.upload("video/mp4", Upload::file(film));
    let error = Context::new(Script::new()).call(call).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::TooLarge, Retry::After(None))
    );
    assert_eq!(read.load(Ordering::Relaxed), 0);
}

/// Takes one request and says how many bytes its body had.
async fn count_one(listener: tokio::net::TcpListener) -> u64 {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut buffer = vec![0; 256 * 1024];
    let mut head = Vec::new();
    let end = loop {
        let read = socket.read(&mut buffer).await.unwrap();
        head.extend_from_slice(&buffer[..read]);
        if let Some(end) = head.windows(4).position(|part| part == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8_lossy(&head[..end]).to_lowercase();
    let length = text.split("content-length: ").nth(1).unwrap();
    let length: u64 = length.split("\r\n").next().unwrap().parse().unwrap();
    let mut body = (head.len() - end) as u64;
    while body < length {
        let read = socket.read(&mut buffer).await.unwrap();
        assert!(read > 0, "cut after {body} of {length}");
        body += read as u64;
    }
    socket
        .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        .await
        .unwrap();
    body
}

async fn real() -> (Context, String, tokio::net::TcpListener) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/upload", listener.local_addr().unwrap());
    (Context::new(transport()), url, listener)
}

fn transport() -> ReqwestTransport {
    let guard = Guard::default()
        .allow("127.0.0.0/8".parse().unwrap())
        .allow_http(true);
    ReqwestTransport::builder().guard(guard).build().unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn two_gibibytes_are_sent_in_little_memory() {
    alone::run("media::two_gibibytes_alone", &[]).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
#[ignore = "run by two_gibibytes_are_sent_in_little_memory"]
async fn two_gibibytes_alone() {
    let (cx, url, listener) = real().await;
    let film = tempfile::NamedTempFile::new().unwrap();
    film.as_file().set_len(2048 * MIB).unwrap();
    let file = Media::file(MediaKind::Video, film.path())
        .open(&cx)
        .await
        .unwrap();
    let form = Multipart::new().text("kind", "video").stream(
        "file",
        "film.mp4",
        "video/mp4",
        Upload::file(file),
    );
    let call = Call::post("upload", &url).unwrap().multipart(form);
    let call = call.timeout(std::time::Duration::from_secs(600));
    let before = crate::transport::peak();
    let (reply, received) = tokio::join!(cx.call(call), count_one(listener));
    assert_eq!(reply.unwrap().body, "ok");
    assert!(received > 2048 * MIB);
    let grown = crate::transport::peak() - before;
    println!("{received} bytes sent, {grown} KiB more at the peak");
    assert!(grown < 32 * 1024, "{grown} KiB");
}

struct Breaks;

#[async_trait]
impl ReadRange for Breaks {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        if offset < MIB {
            return Ok(vec![0; length].into());
        }
        Err(automarket_core::Error::new(
            ErrorKind::Storage,
            "the disk is gone",
        ))
    }
}

#[tokio::test]
async fn a_transport_tells_what_failed_on_this_side() {
    let (_, url, listener) = real().await;
    let server = tokio::spawn(count_one(listener));
    let send = async |upload| {
        let request = Request::post(&url).body(upload).unwrap();
        transport().send_upload(request).await.err().unwrap()
    };
    let file = MediaFile::new(4 * MIB, Breaks);
    let error = send(Upload::file(file)).await;
    assert!(error.own_body, "{error:?}");
    assert!(server.await.is_err(), "the body was cut");
    let error = send(Upload::default()).await;
    assert!(!error.own_body, "nobody listens any more: {error:?}");
}

#[tokio::test]
async fn a_file_that_fails_on_the_way_says_so() {
    for (effect, retry) in [
        (Effect::Write, Retry::Reconcile),
        (Effect::Read, Retry::After(None)),
    ] {
        let (cx, url, listener) = real().await;
        let mut call = Call::post("upload", &url)
            .unwrap()
            .upload("video/mp4", Upload::file(MediaFile::new(4 * MIB, Breaks)));
        if effect == Effect::Read {
            call = call.repeatable();
        }
        let server = tokio::spawn(count_one(listener));
        let error = cx.call(call).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Storage, retry));
        assert_eq!(error.message(), "the disk is gone");
        assert!(server.await.is_err(), "the body was cut");
    }
}
