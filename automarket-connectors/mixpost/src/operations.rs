//! What Mixpost does beside publishing: thin calls for hosts that manage an instance.

use automarket_core::{
    Context, Error, ErrorKind, Result,
    chrono::{DateTime, Utc},
    http::Reply,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{
    Mixpost, MixpostAccount, MixpostMedia, MixpostPage, MixpostPost, MixpostTag, MixpostVersion,
    MixpostWorkspace, PLATFORM,
    api::{Api, PAGE},
    error::{required, send},
    wire::{Deleted, List},
};

/// Pages of tags that are read. The versions we know give all on one.
const TAG_PAGES: u32 = 200;

/// Everything a post is: creating and replacing take the whole of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MixpostPostInput {
    /// Where it goes, by account number.
    pub accounts: Vec<u64>,
    /// What it says: first the original (`account_id` 0, `is_original`), then what single accounts say
    /// instead.
    pub versions: Vec<MixpostVersion>,
    /// Its tags, by number.
    pub tags: Vec<u64>,
    /// When; to the minute.
    pub at: Option<DateTime<Utc>>,
}

/// Which posts to list. Empty lists everything but the trash. Older instances ignore filters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PostFilter {
    /// `draft`, `scheduled`, `published`, `failed`, `needs_approval` or `trash`.
    pub status: Option<String>,
    /// A word of the text.
    pub keyword: Option<String>,
    /// Account numbers.
    pub accounts: Vec<u64>,
    /// Tags: names, on some versions numbers.
    pub tags: Vec<String>,
}

/// How far a delete goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeleteMode {
    /// From Mixpost.
    #[default]
    AppOnly,
    /// From Mixpost and from the networks. The latter is left to the instance's queue, which may drop it, since the record
    /// is gone by then.
    AppAndSocial,
    /// From the networks; Mixpost keeps its record, whose `external_url` is gone once its queue has done it.
    SocialOnly,
}

/// Thin operations. All answer `Config` for a wrong base address, `Unauthorized`, `Forbidden`, `NotFound`,
/// `RateLimited` and the transport's errors; what else they answer is said at each.
impl Mixpost {
    /// Whether the instance is there and takes the token.
    ///
    /// # Errors
    /// Those of all operations.
    pub async fn ping(&self, cx: &Context) -> Result<()> {
        send(cx, self.api(cx)?.ping()?).await.map(drop)
    }

    /// The workspaces that the token can reach.
    ///
    /// # Errors
    /// `Unsupported` on older instances.
    pub async fn workspaces(&self, cx: &Context) -> Result<Vec<MixpostWorkspace>> {
        let reply = send(cx, self.api(cx)?.workspaces()?)
            .await
            .map_err(|error| newer(error, "listing workspaces"))?;
        Ok(page(&reply, 1)?.items)
    }

    /// The social accounts of the workspace.
    ///
    /// # Errors
    /// Those of all operations.
    pub async fn accounts(&self, cx: &Context) -> Result<Vec<MixpostAccount>> {
        accounts(cx, &self.api(cx)?).await
    }

    /// One page of posts, newest first; pages count from 1.
    ///
    /// # Errors
    /// Those of all operations.
    pub async fn posts(
        &self,
        cx: &Context,
        filter: &PostFilter,
        number: u32,
    ) -> Result<MixpostPage<MixpostPost>> {
        page(
            &send(cx, self.api(cx)?.posts(filter, number)?).await?,
            number,
        )
    }

    /// A post.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_post(&self, cx: &Context, uuid: &str) -> Result<MixpostPost> {
        let reply = send(cx, self.api(cx)?.post_of(uuid)?).await;
        resource(&reply.map_err(required)?)
    }

    /// Replaces the whole post: what is left out is removed, and without a time it becomes a draft.
    ///
    /// # Errors
    /// `Conflict` once it is published or being published; `InvalidInput`.
    pub async fn update_post(
        &self,
        cx: &Context,
        uuid: &str,
        input: &MixpostPostInput,
    ) -> Result<()> {
        send(cx, self.api(cx)?.replace_post(uuid, input)?)
            .await
            .map(drop)
    }

    /// Schedules a draft at the time stored in it, or at `at` on newer instances.
    ///
    /// # Errors
    /// `Conflict` when the time is past or missing (older instances look only at the stored one), or the
    /// post is out already.
    pub async fn schedule(
        &self,
        cx: &Context,
        uuid: &str,
        at: Option<DateTime<Utc>>,
    ) -> Result<()> {
        send(cx, self.api(cx)?.schedule(uuid, false, at)?)
            .await
            .map(drop)
    }

    /// Publishes a draft or scheduled post now. Its end is `Reconcile` when the answer is lost: look at
    /// the post.
    ///
    /// # Errors
    /// `Conflict` when it is out already.
    pub async fn publish_now(&self, cx: &Context, uuid: &str) -> Result<()> {
        send(cx, self.api(cx)?.schedule(uuid, true, None)?)
            .await
            .map(drop)
    }

    /// Puts a draft into the next free slot of the workspace's timetable; any time it had is ignored.
    ///
    /// # Errors
    /// `Conflict` when it is out already.
    pub async fn add_to_queue(&self, cx: &Context, uuid: &str) -> Result<()> {
        send(cx, self.api(cx)?.add_to_queue(uuid)?).await.map(drop)
    }

    /// Approves a post that waits for it.
    ///
    /// # Errors
    /// `Forbidden` where the token's owner may not; `Conflict`.
    pub async fn approve(&self, cx: &Context, uuid: &str) -> Result<()> {
        send(cx, self.api(cx)?.approve(uuid)?).await.map(drop)
    }

    /// Publishes a failed post again on one account, named by its UUID.
    ///
    /// # Errors
    /// `NotFound` for post or account, and on older instances, which cannot do this.
    pub async fn retry(&self, cx: &Context, uuid: &str, account_uuid: &str) -> Result<()> {
        send(cx, self.api(cx)?.retry(uuid, account_uuid)?)
            .await
            .map(drop)
    }

    /// Deletes a post, or moves it to the trash, and does not ask how it stands: what is being published goes out all the
    /// same ([`delete`](automarket_core::Publisher::delete) waits for that).
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_post(
        &self,
        cx: &Context,
        uuid: &str,
        trash: bool,
        mode: DeleteMode,
    ) -> Result<()> {
        self.remove(cx, uuid, trash, mode).await.map(drop)
    }

    pub(crate) async fn remove(
        &self,
        cx: &Context,
        uuid: &str,
        trash: bool,
        mode: DeleteMode,
    ) -> Result<Deleted> {
        let reply = send(cx, self.api(cx)?.delete_post(uuid, trash, mode)?).await;
        let reply = reply.map_err(required)?;
        // Some versions answer with nothing.
        Ok(serde_json::from_slice(&reply.body).unwrap_or_default())
    }

    /// One page of the media library; pages count from 1.
    ///
    /// # Errors
    /// Those of all operations.
    pub async fn media(&self, cx: &Context, number: u32) -> Result<MixpostPage<MixpostMedia>> {
        page(&send(cx, self.api(cx)?.media(number)?).await?, number)
    }

    /// Sets alternative text and name of a file; `None` keeps what is there.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput`.
    pub async fn update_media(
        &self,
        cx: &Context,
        uuid: &str,
        alt: Option<&str>,
        name: Option<&str>,
    ) -> Result<()> {
        send(cx, self.api(cx)?.update_media(uuid, alt, name)?)
            .await
            .map(drop)
    }

    /// Deletes files by their numbers.
    ///
    /// # Errors
    /// Those of all operations.
    pub async fn delete_media(&self, cx: &Context, ids: &[u64]) -> Result<()> {
        send(cx, self.api(cx)?.delete_media(ids)?).await.map(drop)
    }

    /// All tags, the markers of [`publish`](automarket_core::Publisher::publish) among them.
    ///
    /// # Errors
    /// Those of all operations, and `CannotTell` for more than 200 pages of them.
    pub async fn tags(&self, cx: &Context) -> Result<Vec<MixpostTag>> {
        all_tags(cx, &self.api(cx)?).await
    }

    /// Creates a tag; the colour is `#rrggbb`.
    ///
    /// # Errors
    /// `InvalidInput` (`name`) when there is one of this name.
    pub async fn create_tag(&self, cx: &Context, name: &str, colour: &str) -> Result<MixpostTag> {
        resource(&send(cx, self.api(cx)?.create_tag(name, colour)?).await?)
    }

    /// Renames and recolours a tag.
    ///
    /// # Errors
    /// `NotFound`; `InvalidInput`.
    pub async fn update_tag(
        &self,
        cx: &Context,
        uuid: &str,
        name: &str,
        colour: &str,
    ) -> Result<()> {
        send(cx, self.api(cx)?.update_tag(uuid, name, colour)?)
            .await
            .map(drop)
    }

    /// Deletes a tag. Without its marker tag (`am-...`) a post is not found again after a lost answer.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn delete_tag(&self, cx: &Context, uuid: &str) -> Result<()> {
        send(cx, self.api(cx)?.delete_tag(uuid)?).await.map(drop)
    }
}

pub(crate) async fn accounts(cx: &Context, api: &Api) -> Result<Vec<MixpostAccount>> {
    let reply = send(cx, api.accounts()?).await.map_err(required)?;
    Ok(page(&reply, 1)?.items)
}

/// All tags, of which each post of ours has one of its own.
///
/// # Errors
/// `CannotTell` when there are more than are read.
pub(crate) async fn all_tags(cx: &Context, api: &Api) -> Result<Vec<MixpostTag>> {
    let mut tags = Vec::new();
    for number in 1..=TAG_PAGES {
        let mut next: MixpostPage<MixpostTag> = page(&send(cx, api.tags(number)?).await?, number)?;
        tags.append(&mut next.items);
        if next.last_page.is_none_or(|last| last <= number) {
            return Ok(tags);
        }
    }
    let message = "this Mixpost holds more tags than are read";
    Err(Error::new(ErrorKind::CannotTell, message).with_platform(&PLATFORM))
}

impl<T> MixpostPage<T> {
    /// Whether there is nothing after this page. Where the instance does not say, a page that is not full
    /// is the last.
    #[must_use]
    pub fn is_last(&self) -> bool {
        match self.last_page {
            Some(last) => self.page >= last,
            None => self.items.len() < PAGE as usize,
        }
    }
}

/// Reads a list.
pub(crate) fn page<T: DeserializeOwned>(reply: &Reply, number: u32) -> Result<MixpostPage<T>> {
    let list: List<T> = reply.json()?;
    let meta = list.meta;
    Ok(MixpostPage {
        items: list.data,
        page: meta
            .as_ref()
            .and_then(|meta| meta.current_page)
            .unwrap_or(number),
        last_page: meta.as_ref().and_then(|meta| meta.last_page),
        total: meta.and_then(|meta| meta.total),
    })
}

/// Reads one record, bare or wrapped in `data` (Laravel does either).
pub(crate) fn resource<T: DeserializeOwned>(reply: &Reply) -> Result<T> {
    let mut value: Value = reply.json()?;
    if value.get("uuid").is_none()
        && let Some(data) = value.get_mut("data").filter(|data| data.is_object())
    {
        value = data.take();
    }
    let read = reply.part(value);
    read.map_err(|error| error.with_platform(&crate::PLATFORM))
}

/// Older instances know no such path: that is no fault of the input.
pub(crate) fn newer(error: Error, what: &str) -> Error {
    if error.kind() == ErrorKind::NotFound {
        Error::unsupported(format!("this Mixpost is too old for {what}"))
            .with_platform(&crate::PLATFORM)
            .with_remedy("update the instance")
            .with_source(error)
    } else {
        error
    }
}
