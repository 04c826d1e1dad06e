//! Media at addresses.

use super::*;

/// Serves one file, with ranges or without, and counts what it was asked.
struct Web {
    bytes: Bytes,
    ranges: bool,
    asked: Arc<AtomicU64>,
}

#[async_trait]
impl Transport for Web {
    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Body>, automarket_core::http::TransportError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if request.uri().path() == "/moved" {
            return Ok(moved("/file"));
        }
        let range = request.headers().get("range").unwrap().to_str().unwrap();
        let (from, to) = range
            .strip_prefix("bytes=")
            .unwrap()
            .split_once('-')
            .unwrap();
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        if !self.ranges {
            let reply = Response::builder().header("etag", "\"2\"");
            return Ok(reply.body(Body::Full(self.bytes.clone())).unwrap());
        }
        let end = (to + 1).min(self.bytes.len());
        let reply = Response::builder()
            .status(206)
            .header("etag", "\"1\"")
            .header(
                "content-range",
                format!("bytes {from}-{}/{}", end - 1, self.bytes.len()),
            );
        Ok(reply.body(Body::Full(self.bytes.slice(from..end))).unwrap())
    }
}

#[tokio::test]
async fn addresses_are_read_in_ranges_or_once() {
    let bytes: Bytes = (0..300_000_u32)
        .flat_map(u32::to_le_bytes)
        .collect::<Vec<u8>>()
        .into();
    for ranges in [true, false] {
        let asked = Arc::new(AtomicU64::new(0));
        let web = Web {
            bytes: bytes.clone(),
            ranges,
            asked: asked.clone(),
        };
        let cx = Context::new(web);
        let url = "https://acme.dev/moved".parse().unwrap();
        let file = Media::address(MediaKind::Video, url)
            .open(&cx)
            .await
            .unwrap();
        assert_eq!(file.size(), bytes.len() as u64);
        let version = if ranges { "\"1\"" } else { "\"2\"" };
        assert_eq!(file.version(), Some(version));
        assert_eq!(file.read(100, 50).await.unwrap(), bytes.slice(100..150));
        assert_eq!(
            asked.load(Ordering::Relaxed),
            2,
            "the redirect and the beginning"
        );
        assert_eq!(
            file.read(900_000, 500).await.unwrap(),
            bytes.slice(900_000..900_500)
        );
        assert_eq!(asked.load(Ordering::Relaxed), if ranges { 3 } else { 2 });
        assert_eq!(file.all(2_000_000).await.unwrap(), bytes);
    }
}

type Range = std::ops::RangeInclusive<usize>;

/// Serves what a function says of the number of the request, the request, and its range.
struct Serves<F> {
    answer: F,
    asked: Arc<AtomicU64>,
}

impl<F> Serves<F> {
    fn new(answer: F) -> (Self, Arc<AtomicU64>) {
        let asked = Arc::new(AtomicU64::new(0));
        let counts = asked.clone();
        (Self { answer, asked }, counts)
    }
}

#[async_trait]
impl<F> Transport for Serves<F>
where
    F: Fn(u64, &Request<Bytes>, Range) -> Response<Body> + Send + Sync,
{
    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<Body>, automarket_core::http::TransportError> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        let range = request.headers()["range"].to_str().unwrap();
        let (from, to) = range["bytes=".len()..].split_once('-').unwrap();
        let range = from.parse().unwrap()..=to.parse().unwrap();
        Ok((self.answer)(number, &request, range))
    }
}

/// A range of so many bytes, of which each is its place; with this header too.
fn part(size: usize, range: Range, header: (&'static str, &str)) -> Response<Body> {
    let (from, to) = (*range.start(), (*range.end()).min(size - 1));
    let bytes: Vec<u8> = (from..=to).map(|place| place as u8).collect();
    Response::builder()
        .status(206)
        .header(header.0, header.1)
        .header("content-range", format!("bytes {from}-{to}/{size}"))
        .body(Body::Full(bytes.into()))
        .unwrap()
}

fn bare(status: u16) -> Response<Body> {
    let reply = Response::builder().status(status);
    reply.body(Body::Full(Bytes::new())).unwrap()
}

fn moved(to: &str) -> Response<Body> {
    let reply = Response::builder().status(302).header("location", to);
    reply.body(Body::Full(Bytes::new())).unwrap()
}

async fn open(web: impl Transport + 'static) -> MediaFile {
    let media = Media::address(MediaKind::Video, "https://acme.dev/moved".parse().unwrap());
    media.open(&Context::new(web)).await.unwrap()
}

/// Leads each time to another address, which serves two ranges of the file that it then is, and ends with this status.
fn signed(
    ended: u16,
    file: impl Fn(u64, Range) -> Response<Body> + Send + Sync,
) -> impl Fn(u64, &Request<Bytes>, Range) -> Response<Body> + Send + Sync {
    let (newest, served) = (AtomicU64::new(0), AtomicU64::new(0));
    move |_, request, range| {
        if request.uri().path() == "/moved" {
            let number = newest.fetch_add(1, Ordering::Relaxed) + 1;
            served.store(0, Ordering::Relaxed);
            return moved(&format!("https://store.example/film?signature={number}"));
        }
        let number = newest.load(Ordering::Relaxed);
        assert_eq!(request.uri().host(), Some("store.example"));
        let asked = format!("signature={number}");
        assert_eq!(request.uri().query(), Some(asked.as_str()));
        if served.fetch_add(1, Ordering::Relaxed) == 2 {
            return bare(ended);
        }
        file(number, range)
    }
}

const SIZE: usize = 1_000_000;

#[tokio::test]
async fn an_address_that_a_redirect_signed_for_a_while_is_asked_for_again() {
    for ended in [400, 401, 403, 404, 410] {
        let (web, asked) = Serves::new(signed(ended, |_, range| {
            part(SIZE, range, ("etag", "\"1\""))
        }));
        let file = open(web).await;
        for (place, requests) in [(500_000, 3), (600_000, 6), (700_000, 7), (800_000, 10)] {
            let bytes = file.read(place, 500).await;
            let bytes = bytes.unwrap_or_else(|error| panic!("{ended}: {error:?}"));
            assert_eq!(bytes[0], place as u8);
            assert_eq!(asked.load(Ordering::Relaxed), requests, "{ended}");
        }
    }
}

#[tokio::test]
async fn where_a_redirect_leads_anew_is_the_same_file_or_none() {
    // Another size; another version; nothing any more.
    let other: [fn(u64, Range) -> Response<Body>; 3] = [
        |number, range| part(SIZE * number as usize, range, ("etag", "W/\"1\"")),
        |number, range| match number {
            1 => part(SIZE, range, ("etag", "\"1\"")),
            _ => bare(412),
        },
        |number, range| match number {
            1 => part(SIZE, range, ("etag", "\"1\"")),
            _ => bare(404),
        },
    ];
    let retries = [Retry::After(None), Retry::After(None), Retry::Never];
    for (file, retry) in other.into_iter().zip(retries) {
        let (web, asked) = Serves::new(signed(403, file));
        let file = open(web).await;
        file.read(500_000, 500).await.unwrap();
        let error = file.read(600_000, 500).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::InvalidInput, retry)
        );
        assert_eq!(asked.load(Ordering::Relaxed), 6);
    }
    // One that leads nowhere for a moment leads there again.
    let (web, _) = Serves::new(|number, request: &Request<Bytes>, range| {
        match (request.uri().path(), number) {
            ("/moved", 4) => bare(404),
            ("/moved", _) => moved("/film"),
            (_, 3 | 5) => bare(403),
            (_, 7) if request.headers().get("if-match").is_none() => bare(400),
            _ => part(SIZE, range, ("etag", "\"1\"")),
        }
    });
    let file = open(web).await;
    file.read(600_000, 500).await.unwrap_err();
    file.read(600_000, 500).await.unwrap();
    // One that leads nowhere else is not asked twice.
    let (web, asked) = Serves::new(|number, _: &Request<Bytes>, range| match number {
        1 => part(SIZE, range, ("etag", "\"1\"")),
        _ => bare(403),
    });
    let error = open(web).await.read(600_000, 500).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::InvalidInput, Retry::Never)
    );
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn what_changes_at_its_address_is_not_sent_as_half_of_each() {
    const MONDAY: &str = "Mon, 07 Dec 2026 09:00:00 GMT";
    type Answer = fn(u64, &Request<Bytes>, Range) -> Response<Body>;
    // From the third request on it is longer; shorter than what is asked for; of another date; sent whole.
    let webs: [Answer; 4] = [
        |number, _, range| {
            let size = SIZE + usize::from(number > 2);
            part(size, range, ("etag", "W/\"1\""))
        },
        |number, _, range| match number {
            1 | 2 => part(SIZE, range, ("etag", "W/\"1\"")),
            _ => bare(416),
        },
        |number, request, range| match request.headers().get("if-unmodified-since") {
            Some(since) if number == 3 => {
                assert_eq!(since, MONDAY);
                bare(412)
            }
            _ => part(SIZE, range, ("last-modified", MONDAY)),
        },
        |number, _, range| match number {
            1 | 2 => part(SIZE, range, ("etag", "W/\"1\"")),
            _ => Response::new(Body::Full(vec![8; SIZE].into())),
        },
    ];
    for (case, web) in webs.into_iter().enumerate() {
        let (web, _) = Serves::new(web);
        let file = open(web).await;
        file.read(500_000, 500).await.unwrap();
        let error = match file.read(600_000, 500).await {
            Ok(_) => panic!("case {case}: it was taken"),
            Err(error) => error,
        };
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::InvalidInput, Retry::After(None)),
            "case {case}"
        );
        assert_eq!(error.message(), "it changed while it was read");
    }
}

/// Sends no ranges and does not end; says so much of its length, and counts what is taken of it.
struct Endless {
    says: Option<&'static str>,
    taken: Arc<AtomicU64>,
}

#[async_trait]
impl Transport for Endless {
    async fn send(
        &self,
        _: Request<Bytes>,
    ) -> Result<Response<Body>, automarket_core::http::TransportError> {
        let taken = self.taken.clone();
        let pieces = futures_util::stream::repeat_with(move || {
            taken.fetch_add(MIB, Ordering::Relaxed);
            Ok(vec![0; MIB as usize].into())
        });
        let mut reply = Response::new(Body::Stream(Box::pin(pieces.take(4096))));
        if let Some(length) = self.says {
            let length = length.parse().unwrap();
            reply.headers_mut().insert("content-length", length);
        }
        Ok(reply)
    }
}

#[tokio::test]
async fn no_more_is_copied_from_an_address_than_the_platform_takes() {
    let limit = |mib| Some(MediaLimit::new(&["*/*"], mib * MIB, 1));
    let (mut both, mut large) = (MediaRules::default(), MediaRules::default());
    (both.image, both.gif, both.video) = (limit(5), limit(15), limit(512));
    large.image = Some(MediaLimit::new(&["*/*"], u64::MAX, 1));
    for (rules, kind, says, most) in [
        (&both, MediaKind::Image, None, 15),
        (&both, MediaKind::Gif, None, 15),
        (&both, MediaKind::Image, Some("100000000000"), 0),
        (&both, MediaKind::Document, None, 64),
        (&large, MediaKind::Image, None, 64),
    ] {
        let taken = Arc::new(AtomicU64::new(0));
        let web = Endless {
            says,
            taken: taken.clone(),
        };
        let mut media = Media::address(kind, "https://evil.example/a".parse().unwrap());
        let error = media.inspect(&Context::new(web), rules).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::TooLarge, Retry::Never)
        );
        let taken = taken.load(Ordering::Relaxed) / MIB;
        assert!(taken <= most + 1, "{kind:?}: {taken} MiB");
    }
}

#[tokio::test]
async fn what_cannot_be_had_from_an_address_is_said() {
    let open = |wire: Script| async move {
        let url = "https://acme.dev/a.png".parse().unwrap();
        let media = Media::address(MediaKind::Image, url);
        media.open(&wire.context()).await.unwrap_err()
    };
    let wire = || Script::new().expect("GET", "https://acme.dev/a.png");
    let gone = open(wire().reply(404, "")).await;
    assert_eq!(
        (gone.kind(), gone.retry()),
        (ErrorKind::InvalidInput, Retry::Never)
    );
    assert_eq!(gone.field(), Some("media"));
    for passing in [408, 425, 429, 503] {
        let busy = open(wire().reply(passing, "")).await;
        let got = (busy.kind(), busy.retry());
        let wanted = (ErrorKind::Unavailable, Retry::After(None));
        assert_eq!(got, wanted, "{passing}");
    }
    // The guard sees where an address leads.
    let cx = Context::new(
        ReqwestTransport::builder()
            .guard(Guard::strict())
            .build()
            .unwrap(),
    );
    for inside in ["http://127.0.0.1/a.png", "https://169.254.169.254/latest"] {
        let media = Media::address(MediaKind::Image, inside.parse().unwrap());
        assert_eq!(
            media.open(&cx).await.unwrap_err().kind(),
            ErrorKind::Refused
        );
    }
}

#[tokio::test]
async fn a_disk_that_keeps_nothing_is_no_fault_of_the_media() {
    // Nothing lies below it: no file can be made there.
    let nowhere = [("TMPDIR", "/dev/null"), ("TMP", "nul"), ("TEMP", "nul")];
    alone::run("media::address::no_disk_alone", &nowhere).await;
}

#[tokio::test]
#[ignore = "run by a_disk_that_keeps_nothing_is_no_fault_of_the_media"]
async fn no_disk_alone() {
    let web = Web {
        bytes: vec![0; 100].into(),
        ranges: false,
        asked: Arc::default(),
    };
    let url = "https://acme.dev/file".parse().unwrap();
    let media = Media::address(MediaKind::Image, url);
    let error = media.open(&Context::new(web)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Storage, Retry::After(None))
    );
}

#[test]
fn an_address_does_not_show_what_opens_it() {
    let source = MediaSource::Address("https://b.example/a.png?sig=s3cret".parse().unwrap());
    assert_eq!(format!("{source:?}"), "https://b.example/a.png");
}
