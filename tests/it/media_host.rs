//! A host's own place for media that is in trouble: it ends no post, and holds up no worker.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use automarket::{
    Automarket, Context, Credential, Error, ErrorKind, Platform, Post, Result, Retry, Tenant, When,
    core::{
        Bytes, Media, Url, async_trait,
        chrono::{DateTime, TimeDelta, Utc},
        content::MediaKind,
        media::{MediaFile, MediaHost, ReadRange},
    },
    store::{Account, MemoryStore, Publication, PublicationState},
    testing::{ManualClock, RecordingPublisher, Script},
};
use tokio::time::timeout;

const PLATFORM: Platform = Platform::from_static("wall");
const LEASE: Duration = Duration::from_secs(30);
const IMAGE: &[u8] = b"\x89PNG\r\n\x1a\n....IHDR\0\0\0\x01\0\0\0\x01";

/// A place that answers as it is told to.
#[derive(Clone)]
struct Place(Arc<Mutex<Says>>);

#[derive(Clone, Copy)]
enum Says {
    All,
    No(ErrorKind),
    Nothing,
}

impl Place {
    fn new(says: Says) -> Self {
        Self(Arc::new(Mutex::new(says)))
    }

    fn set(&self, says: Says) {
        *self.0.lock().unwrap() = says;
    }

    async fn answer<T>(&self, all: T) -> Result<T> {
        let says = *self.0.lock().unwrap();
        match says {
            Says::All => Ok(all),
            Says::No(kind) => Err(Error::new(kind, "AccessDenied")),
            Says::Nothing => std::future::pending().await,
        }
    }
}

#[async_trait]
impl ReadRange for Place {
    async fn read(&self, offset: u64, length: usize) -> Result<Bytes> {
        let from = offset as usize;
        self.answer(IMAGE[from..from + length].into()).await
    }
}

#[async_trait]
impl MediaHost for Place {
    async fn open(&self, _: &Context, key: &str) -> Result<MediaFile> {
        let file = MediaFile::new(IMAGE.len() as u64, self.clone());
        match key {
            "opens" => Ok(file),
            _ => self.answer(file).await,
        }
    }

    async fn address(&self, _: &Context, _: &Media, _: DateTime<Utc>) -> Result<Url> {
        let url = Url::parse("https://media.example/dot").unwrap();
        self.answer(url).await
    }
}

fn dot(key: &str) -> Media {
    Media::host(MediaKind::Image, key).alt("A dot")
}

/// What opening, reading and an address end in.
async fn ends(says: Says) -> [Error; 3] {
    let cx = Context::new(Script::new()).with_media_host(Arc::new(Place::new(says)));
    let file = dot("opens").open(&cx).await.unwrap();
    [
        dot("dot").open(&cx).await.unwrap_err(),
        file.read(0, 8).await.unwrap_err(),
        cx.public_address(&dot("dot")).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn what_speaks_of_the_media_is_handed_on_and_the_rest_waits() {
    use ErrorKind as Kind;
    for (said, kind, retry) in [
        (Kind::NotFound, Kind::NotFound, Retry::Never),
        (Kind::InvalidInput, Kind::InvalidInput, Retry::Never),
        (Kind::TooLarge, Kind::TooLarge, Retry::Never),
        (Kind::Network, Kind::Storage, Retry::After(None)),
        (Kind::RateLimited, Kind::Storage, Retry::After(None)),
        (Kind::Unauthorized, Kind::Config, Retry::After(None)),
        (Kind::Forbidden, Kind::Config, Retry::After(None)),
        (Kind::Internal, Kind::Config, Retry::After(None)),
        (Kind::CannotTell, Kind::Config, Retry::After(None)),
        (Kind::Config, Kind::Config, Retry::After(None)),
        (Kind::LeaseLost, Kind::Config, Retry::After(None)),
    ] {
        for error in ends(Says::No(said)).await {
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_place_that_gives_no_answer_is_not_waited_for() {
    let day = Duration::from_secs(86_400);
    let ends = timeout(day, ends(Says::Nothing)).await;
    for error in ends.expect("an end") {
        assert_eq!(error.kind(), ErrorKind::Storage);
        assert_eq!(error.rule(), Some("media.host"));
    }
}

async fn work(tenant: &Tenant, publication: &Publication) -> Publication {
    tenant.work_on(publication.job, LEASE).await.unwrap();
    let all = tenant.publications(publication.post).await.unwrap();
    all.into_iter().next().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_post_waits_for_a_place_that_is_in_trouble() {
    for trouble in [
        Says::No(ErrorKind::Forbidden),
        Says::No(ErrorKind::Unauthorized),
        Says::No(ErrorKind::Internal),
        Says::Nothing,
    ] {
        let clock = ManualClock::parse("2027-01-11T09:00:00Z");
        let place = Place::new(Says::All);
        let market = Automarket::builder(MemoryStore::with_clock(Arc::new(clock.clone())))
            .media_host(place.clone())
            .transport(Script::new())
            .keyring(automarket::Keyring::random())
            .publisher(RecordingPublisher::new(PLATFORM));
        let tenant = market.build().unwrap().tenant("acme").unwrap();
        // The rules of a network that takes images.
        let account = Account::new(tenant.id().clone(), PLATFORM, "1").on_network(Platform::X);
        let account = tenant.add_account(account, Credential::token("t")).await;
        let post = Post::text("Look").media(dot("dot"));
        let post = tenant.publish(post, [account.unwrap().id], When::Now);
        let post = post.await.unwrap();
        let publication = tenant.publications(post).await.unwrap().remove(0);
        place.set(trouble);
        let waits = work(&tenant, &publication).await;
        assert_eq!(waits.state, PublicationState::Scheduled, "{waits:?}");
        place.set(Says::All);
        clock.advance(TimeDelta::minutes(10));
        let out = work(&tenant, &waits).await;
        assert_eq!(out.state, PublicationState::Published, "{out:?}");
    }
}
