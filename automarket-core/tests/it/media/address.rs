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
            return Ok(Response::new(Body::Full(self.bytes.clone())));
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

const SIZE: usize = 1_000_000;

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
    let busy = open(wire().reply(503, "")).await;
    assert_eq!(
        (busy.kind(), busy.retry()),
        (ErrorKind::Unavailable, Retry::After(None))
    );
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

#[test]
fn an_address_does_not_show_what_opens_it() {
    let source = MediaSource::Address("https://b.example/a.png?sig=s3cret".parse().unwrap());
    assert_eq!(format!("{source:?}"), "https://b.example/a.png");
}
