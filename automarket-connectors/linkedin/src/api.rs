//! One function per endpoint: input to call. No I/O.

use std::time::Duration;

use automarket_core::{
    Result, Secret, Url,
    http::{Call, Upload, segment},
    http_types::Method,
};
use serde_json::{Value, json};

use crate::{LinkedInConfig, LinkedInOptions, author::Author, wire::Part};

/// For a part of an upload on a slow line.
const UPLOAD_TIMEOUT: Duration = Duration::from_secs(5 * 60);
/// What a page of a list holds.
pub(crate) const PAGE: usize = 100;

/// The operation that makes a post, and so its bucket.
pub(crate) const CREATE: &str = "posts.create";

/// The API as one account sees it.
pub(crate) struct Api<'a> {
    pub(crate) config: LinkedInConfig,
    pub(crate) token: &'a Secret,
}

/// What kind of file is uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Image,
    Document,
    Video,
}

impl Kind {
    fn path(self) -> &'static str {
        match self {
            Self::Image => "/rest/images",
            Self::Document => "/rest/documents",
            Self::Video => "/rest/videos",
        }
    }
}

impl Api<'_> {
    fn address(&self, path: &str) -> String {
        format!("{}{path}", self.config.base_url.trim_end_matches('/'))
    }

    /// A call of the versioned API. LinkedIn counts each of its resources and methods apart.
    fn rest(&self, operation: &'static str, method: Method, path: &str) -> Result<Call> {
        Call::new(operation, method, &self.address(path))?
            .bearer(self.token)
            .bucket(operation)
            .header("linkedin-version", &self.config.version)?
            .header("x-restli-protocol-version", "2.0.0")
    }

    fn get(&self, operation: &'static str, path: &str) -> Result<Call> {
        self.rest(operation, Method::GET, path)
    }

    /// A call that asks for what a query finds.
    fn finder(&self, operation: &'static str, path: &str) -> Result<Call> {
        self.get(operation, path)?
            .header("x-restli-method", "FINDER")
    }

    /// Who agreed, by OpenID. Not versioned.
    pub(crate) fn userinfo(&self) -> Result<Call> {
        let call = Call::get("userinfo", &self.address("/v2/userinfo"))?;
        Ok(call.bearer(self.token).bucket("userinfo"))
    }

    /// Who agreed, for apps that have no OpenID. Not versioned.
    pub(crate) fn me(&self) -> Result<Call> {
        let call = Call::get("me", &self.address("/v2/me"))?;
        Ok(call.bearer(self.token).bucket("me"))
    }

    /// On which organisations' pages the member has a role.
    pub(crate) fn roles(&self, start: usize) -> Result<Call> {
        let path = format!(
            "/rest/organizationAcls?q=roleAssignee&state=APPROVED&start={start}&count={PAGE}"
        );
        self.finder("organizationAcls.find", &path)
    }

    pub(crate) fn organizations(&self, ids: &[String]) -> Result<Call> {
        let path = format!("/rest/organizations?ids=List({})", ids.join(","));
        self.get("organizations.get", &path)?
            .header("x-restli-method", "BATCH_GET")
    }

    pub(crate) fn create(
        &self,
        author: &Author,
        commentary: &str,
        content: Option<&Value>,
        options: &LinkedInOptions,
        draft: bool,
    ) -> Result<Call> {
        let mut body = json!({
            "author": author.urn(),
            "commentary": commentary,
            "visibility": options.visibility.as_str(),
            "distribution": {
                "feedDistribution": "MAIN_FEED",
                "targetEntities": [],
                "thirdPartyDistributionChannels": [],
            },
            "lifecycleState": if draft { "DRAFT" } else { "PUBLISHED" },
            "isReshareDisabledByAuthor": options.no_reshare,
        });
        if let Some(content) = content {
            body["content"] = content.clone();
        }
        self.rest(CREATE, Method::POST, "/rest/posts")?.json(&body)
    }

    pub(crate) fn delete(&self, urn: &str) -> Result<Call> {
        let path = format!("/rest/posts/{}", segment(urn)?);
        self.rest("posts.delete", Method::DELETE, &path)?
            .header("x-restli-method", "DELETE")
    }

    pub(crate) fn post(&self, urn: &str) -> Result<Call> {
        let path = format!("/rest/posts/{}?viewContext=AUTHOR", segment(urn)?);
        self.get("posts.get", &path)
    }

    /// A page of an author's posts, the newest first. Only as their author are those listed that are not public (yet).
    pub(crate) fn posts(&self, author: &Author, start: usize) -> Result<Call> {
        let path = format!(
            "/rest/posts?q=author&author={}&count={PAGE}&start={start}&sortBy=CREATED&viewContext=AUTHOR",
            segment(author.urn())?
        );
        self.finder("posts.find", &path)
    }

    pub(crate) fn comment(&self, author: &Author, post: &str, text: &str) -> Result<Call> {
        let path = format!("/rest/socialActions/{}/comments", segment(post)?);
        let body = json!({"actor": author.urn(), "object": post, "message": {"text": text}});
        self.rest("comments.create", Method::POST, &path)?
            .json(&body)
    }

    /// A page of the comments under a post.
    pub(crate) fn comments(&self, post: &str, start: usize) -> Result<Call> {
        let path = format!(
            "/rest/socialActions/{}/comments?start={start}&count={PAGE}",
            segment(post)?
        );
        self.get("comments.get", &path)
    }

    /// Begins an upload. What is never attached is seen by nobody, so this and all that follows may be
    /// repeated.
    pub(crate) fn initialize(&self, kind: Kind, owner: &Author, size: u64) -> Result<Call> {
        let path = format!("{}?action=initializeUpload", kind.path());
        let mut request = json!({"owner": owner.urn()});
        if kind == Kind::Video {
            request["fileSizeBytes"] = json!(size);
            request["uploadCaptions"] = json!(false);
            request["uploadThumbnail"] = json!(false);
        }
        let call = self.rest("media.initialize", Method::POST, &path)?;
        Ok(call
            .json(&json!({"initializeUploadRequest": request}))?
            .repeatable())
    }

    /// Sends a part of a file to where LinkedIn said. The address says whose upload it is; the token goes along
    /// only to LinkedIn's own hosts and that of the API.
    pub(crate) fn upload(&self, part: &Part, body: Upload) -> Result<Call> {
        let call = Call::new("media.upload", Method::PUT, &part.upload_url)?;
        let host = call.request().uri().host().unwrap_or_default();
        let api = Url::parse(&self.config.base_url);
        let own =
            host.ends_with(".linkedin.com") || api.is_ok_and(|api| api.host_str() == Some(host));
        let call = if own { call.bearer(self.token) } else { call };
        Ok(call
            .upload("application/octet-stream", body)
            .timeout(UPLOAD_TIMEOUT))
    }

    pub(crate) fn finalize(&self, video: &str, token: &str, parts: &[String]) -> Result<Call> {
        let body = json!({"finalizeUploadRequest": {
            "video": video,
            "uploadToken": token,
            "uploadedPartIds": parts,
        }});
        let path = "/rest/videos?action=finalizeUpload";
        let call = self.rest("media.finalize", Method::POST, path)?;
        Ok(call.json(&body)?.repeatable())
    }

    pub(crate) fn status(&self, kind: Kind, urn: &str) -> Result<Call> {
        self.get(
            "media.status",
            &format!("{}/{}", kind.path(), segment(urn)?),
        )
    }

    pub(crate) fn share_statistics(&self, organization: &Author, post: &str) -> Result<Call> {
        let list = if post.starts_with("urn:li:ugcPost:") {
            "ugcPosts"
        } else {
            "shares"
        };
        let path = format!(
            "/rest/organizationalEntityShareStatistics?q=organizationalEntity\
             &organizationalEntity={}&{list}=List({})",
            segment(organization.urn())?,
            segment(post)?
        );
        self.finder("shareStatistics.find", &path)
    }

    /// One number of a member's own post.
    pub(crate) fn post_analytics(&self, post: &str, number: &str) -> Result<Call> {
        let kind = if post.starts_with("urn:li:ugcPost:") {
            "ugc"
        } else {
            "share"
        };
        let path = format!(
            "/rest/memberCreatorPostAnalytics?q=entity&entity=({kind}:{})\
             &queryType={number}&aggregation=TOTAL",
            segment(post)?
        );
        self.finder("postAnalytics.find", &path)
    }

    pub(crate) fn social_metadata(&self, post: &str) -> Result<Call> {
        let path = format!("/rest/socialMetadata/{}", segment(post)?);
        self.get("socialMetadata.get", &path)
    }
}
