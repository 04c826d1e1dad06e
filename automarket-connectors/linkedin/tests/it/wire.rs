//! Golden requests and recorded replies of each endpoint, success and failure.

use automarket_connector_linkedin::{LinkedIn, LinkedInConfig, oauth, testing};
use automarket_core::{
    Context, Credential, ErrorKind, Media, Outcome, Post, Publisher, Receipt, TenantId,
    content::{MediaKind, MediaSource},
    store::Account,
    testing::Script,
};
use serde_json::json;

use crate::world::{COMMENT, LITTLE, commented, done, hello};

const API: &str = "https://api.linkedin.com";
const ORGANIZATION: &str = "urn%3Ali%3Aorganization%3A5515715";
const SHARE: &str = "urn%3Ali%3Ashare%3A6844785523593134080";

fn linkedin() -> LinkedIn {
    LinkedIn::new(LinkedInConfig::default())
}

fn cx(wire: &Script, author: &str) -> Context {
    let account = Account::new(
        TenantId::new("acme").unwrap(),
        automarket_connector_linkedin::PLATFORM,
        author,
    );
    wire.context()
        .with_credential(Credential::token("t"))
        .with_account(account)
}

/// A request to the versioned API.
fn rest(wire: Script, method: &str, path: &str) -> Script {
    wire.expect(method, &format!("{API}{path}"))
        .header("authorization", "Bearer t")
        .header("linkedin-version", "202610")
        .header("x-restli-protocol-version", "2.0.0")
}

fn finder(wire: Script, path: &str) -> Script {
    rest(wire, "GET", path).header("x-restli-method", "FINDER")
}

fn post_body(commentary: &str) -> serde_json::Value {
    json!({
        "author": testing::ORGANIZATION,
        "commentary": commentary,
        "visibility": "PUBLIC",
        "distribution": {
            "feedDistribution": "MAIN_FEED", "targetEntities": [], "thirdPartyDistributionChannels": [],
        },
        "lifecycleState": "PUBLISHED",
        "isReshareDisabledByAuthor": false,
    })
}

#[tokio::test]
async fn a_post_and_its_comment_are_these_requests() {
    let wire = rest(Script::new(), "POST", "/rest/posts")
        .header("content-type", "application/json")
        .json(post_body(LITTLE))
        .reply(201, "")
        .reply_header("x-restli-id", "urn:li:share:6844785523593134080");
    let wire = rest(wire, "POST", &format!("/rest/socialActions/{SHARE}/comments"))
        .json(json!({
            "actor": testing::ORGANIZATION,
            "object": "urn:li:share:6844785523593134080",
            "message": {"text": COMMENT},
        }))
        .reply(201, r#"{"id":"6844785799","commentUrn":"urn:li:comment:(urn:li:activity:6844785523593134081,6844785799)","actor":"urn:li:organization:5515715"}"#);
    let cx = cx(&wire, testing::ORGANIZATION);
    let receipt = done(linkedin().publish(&cx, &commented()).await.unwrap());
    assert_eq!(receipt.remote_id, "urn:li:share:6844785523593134080");
    assert_eq!(
        receipt.data["comment"],
        "urn:li:comment:(urn:li:activity:6844785523593134081,6844785799)"
    );
    wire.finished();
}

#[tokio::test(start_paused = true)]
async fn an_image_is_these_requests() {
    let upload = "https://www.linkedin.com/dms-uploads/D5610AQH/0?ca=vector&cn=uploads&ut=1";
    let wire = rest(Script::new(), "POST", "/rest/images?action=initializeUpload")
        .json(json!({"initializeUploadRequest": {"owner": testing::ORGANIZATION}}))
        .reply(200, format!(r#"{{"value":{{"uploadUrlExpiresAt":4650567173515,"uploadUrl":"{upload}","image":"urn:li:image:D5610AQH"}}}}"#))
        .expect("PUT", upload)
        .header("authorization", "Bearer t")
        .header("content-length", "12")
        .reply(201, "");
    let wire = rest(wire, "GET", "/rest/images/urn%3Ali%3Aimage%3AD5610AQH")
        .reply(200, r#"{"owner":"urn:li:organization:5515715","downloadUrl":"https://media.licdn.com/x","id":"urn:li:image:D5610AQH","status":"AVAILABLE"}"#);
    let mut body = post_body("Look");
    body["content"] = json!({"media": {"id": "urn:li:image:D5610AQH", "altText": "A dot"}});
    let wire = rest(wire, "POST", "/rest/posts")
        .json(body)
        .reply(201, "")
        .reply_header("x-linkedin-id", "urn:li:share:7");
    let wire = rest(wire, "GET", "/rest/posts/urn%3Ali%3Ashare%3A7?viewContext=AUTHOR")
        .reply(200, r#"{"id":"urn:li:share:7","lifecycleState":"PUBLISHED","commentary":"Look","createdAt":4102444800000}"#);
    let cx = cx(&wire, testing::ORGANIZATION);
    let image = Media::image(&b"\x89PNG\r\n\x1a\nabcd"[..], "image/png").alt("A dot");
    let post = Post::text("Look").media(image);
    assert_eq!(
        done(linkedin().publish(&cx, &post).await.unwrap()).remote_id,
        "urn:li:share:7"
    );
    wire.finished();
}

#[tokio::test(start_paused = true)]
async fn a_video_is_these_requests_and_its_addresses_elsewhere_see_no_token() {
    let part = "https://dms.example/ambry/1";
    let wire = rest(Script::new(), "POST", "/rest/videos?action=initializeUpload")
        .json(json!({"initializeUploadRequest": {
            "owner": testing::ORGANIZATION, "fileSizeBytes": 80_000,
            "uploadCaptions": false, "uploadThumbnail": false,
        }}))
        .reply(200, format!(r#"{{"value":{{"uploadUrlsExpireAt":4633430000000,"video":"urn:li:video:C5505AQH","uploadInstructions":[{{"uploadUrl":"{part}","lastByte":79999,"firstByte":0}}],"uploadToken":"token-7"}}}}"#))
        .expect("PUT", part)
        .header("content-type", "application/octet-stream")
        .header("content-length", "80000")
        .reply(200, "")
        .reply_header("etag", "\"/ambry-video/signedId/abc\"");
    let wire = rest(wire, "POST", "/rest/videos?action=finalizeUpload")
        .json(json!({"finalizeUploadRequest": {
            "video": "urn:li:video:C5505AQH", "uploadToken": "token-7",
            "uploadedPartIds": ["/ambry-video/signedId/abc"],
        }}))
        .reply(200, "");
    let wire = rest(wire, "GET", "/rest/videos/urn%3Ali%3Avideo%3AC5505AQH").reply(
        200,
        r#"{"status":"PROCESSING_FAILED","processingFailureReason":"bad codec","id":"urn:li:video:C5505AQH"}"#,
    );
    let mut bytes = b"\0\0\0\x10ftypisom........".to_vec();
    bytes.resize(80_000, 0);
    let film = Media::new(MediaKind::Video, MediaSource::Bytes(bytes.into()));
    let cx = cx(&wire, testing::ORGANIZATION);
    let error = linkedin()
        .publish(&cx, &Post::text("Film").media(film))
        .await
        .unwrap_err();
    assert!(error.message().contains("bad codec"), "{error}");
    wire.finished();
    let sent = &wire.requests()[1];
    assert!(!sent.headers().contains_key("authorization"));
}

#[tokio::test]
async fn who_it_is_is_these_requests() {
    let wire = Script::new()
        .expect("GET", &format!("{API}/v2/userinfo"))
        .header("authorization", "Bearer t")
        .reply(403, r#"{"status":403,"serviceErrorCode":100,"code":"ACCESS_DENIED","message":"Not enough permissions to access: userInfo.GET.NO_VERSION"}"#)
        .expect("GET", &format!("{API}/v2/me"))
        .reply(200, r#"{"localizedLastName":"Acker","id":"yrZCpj2Z12","vanityName":"anna","localizedFirstName":"Anna"}"#);
    let wire = finder(wire, "/rest/organizationAcls?q=roleAssignee&state=APPROVED&start=0&count=100")
        .reply(200, r#"{"elements":[{"organization":"urn:li:organization:98765","role":"ADMINISTRATOR","state":"APPROVED","roleAssignee":"urn:li:person:yrZCpj2Z12"},{"organizationTarget":"urn:li:organization:11111","role":"CONTENT_ADMINISTRATOR","state":"APPROVED"},{"organizationTarget":"urn:li:organization:2","role":"ANALYST","state":"APPROVED"},{"organizationTarget":"urn:li:organization:3","role":"ADMINISTRATOR","state":"REVOKED"}],"paging":{"start":0,"count":100,"links":[]}}"#);
    let wire = finder(
        wire,
        "/rest/organizationAcls?q=roleAssignee&state=APPROVED&start=100&count=100",
    )
    .reply(
        200,
        r#"{"elements":[],"paging":{"start":100,"count":100,"links":[]}}"#,
    );
    let wire = rest(wire, "GET", "/rest/organizations?ids=List(98765,11111)")
        .header("x-restli-method", "BATCH_GET")
        .reply(200, r#"{"results":{"98765":{"id":98765,"localizedName":"Acme","vanityName":"acme"}},"errors":{"11111":{"status":403}},"statuses":{}}"#);
    let found = linkedin().identify(&cx(&wire, "urn:li:person:x")).await;
    let found = found.unwrap();
    let ids: Vec<(&str, &str)> = found
        .iter()
        .map(|one| (one.remote_id.as_str(), one.name.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            ("urn:li:person:yrZCpj2Z12", "Anna Acker"),
            ("urn:li:organization:98765", "Acme"),
            ("urn:li:organization:11111", "urn:li:organization:11111"),
        ]
    );
    assert_eq!(found[0].handle.as_deref(), Some("anna"));
    wire.finished();
    assert!(
        !wire.requests()[0]
            .headers()
            .contains_key("linkedin-version")
    );
}

#[tokio::test]
async fn numbers_are_these_requests() {
    let post = "urn:li:ugcPost:6844785523593134080";
    let encoded = "urn%3Ali%3AugcPost%3A6844785523593134080";
    let wire = rest(
        Script::new(),
        "GET",
        &format!("/rest/socialMetadata/{encoded}"),
    )
    .reply(
        403,
        r#"{"status":403,"code":"ACCESS_DENIED","message":"no"}"#,
    );
    let wire = finder(
        wire,
        &format!("/rest/organizationalEntityShareStatistics?q=organizationalEntity&organizationalEntity={ORGANIZATION}&ugcPosts=List({encoded})"),
    )
    .reply(200, r#"{"paging":{"start":0,"count":10,"links":[]},"elements":[{"totalShareStatistics":{"uniqueImpressionsCount":9,"clickCount":-1,"engagement":0.1,"impressionCount":12,"shareCount":1},"ugcPost":"urn:li:ugcPost:6844785523593134080","organizationalEntity":"urn:li:organization:5515715"}]}"#);
    let metrics = linkedin()
        .measure(&cx(&wire, testing::ORGANIZATION), &Receipt::new(post))
        .await
        .unwrap();
    assert_eq!((metrics.impressions, metrics.reach), (Some(12), Some(9)));
    assert_eq!((metrics.likes, metrics.clicks), (None, None));
    assert_eq!(metrics.raw["statistics.clickCount"], json!(-1));
    wire.finished();

    let share = "urn:li:share:6844785523593134080";
    let mut wire = rest(Script::new(), "GET", &format!("/rest/socialMetadata/{SHARE}"))
        .reply(200, r#"{"reactionSummaries":{"EMPATHY":{"reactionType":"EMPATHY","count":3}},"commentsState":"OPEN","commentSummary":{"count":2,"topLevelCount":1},"id":"urn:li:share:6844785523593134080"}"#);
    for number in [
        "IMPRESSION",
        "MEMBERS_REACHED",
        "RESHARE",
        "REACTION",
        "COMMENT",
    ] {
        wire = finder(
            wire,
            &format!("/rest/memberCreatorPostAnalytics?q=entity&entity=(share:{SHARE})&queryType={number}&aggregation=TOTAL"),
        )
        // Before 202605 the type was an object.
        .reply(200, r#"{"elements":[{"count":5,"metricType":{"com.linkedin.adsexternalapi.memberanalytics.v1.CreatorPostAnalyticsMetricTypeV1":"X"}}],"paging":{}}"#);
    }
    let metrics = linkedin()
        .measure(&cx(&wire, testing::MEMBER), &Receipt::new(share))
        .await
        .unwrap();
    assert_eq!((metrics.impressions, metrics.likes), (Some(5), Some(5)));
    assert_eq!(metrics.raw["social.EMPATHY"], json!(3));
    wire.finished();
}

#[tokio::test]
async fn looking_and_deleting_are_these_requests() {
    let list = |start| {
        format!(
            "/rest/posts?q=author&author={ORGANIZATION}&count=100&start={start}&sortBy=CREATED&viewContext=AUTHOR"
        )
    };
    let wire = finder(Script::new(), &list(0))
    .reply(200, r#"{"paging":{"start":0,"count":100,"links":[]},"elements":[{"id":"urn:li:share:8","author":"urn:li:organization:5515715","commentary":"Hello \\(from Acme\\) & friends {hashtag|\\#|launch} https://lnkd.in/dX\\_9-a!","createdAt":4102444800000,"publishedAt":4102444800000,"lifecycleState":"PUBLISHED","visibility":"PUBLIC"}]}"#);
    let wire = finder(wire, &list(100)).reply(
        200,
        r#"{"paging":{"start":100,"count":100,"links":[]},"elements":[]}"#,
    );
    let wire = rest(wire, "DELETE", "/rest/posts/urn%3Ali%3Ashare%3A8")
        .header("x-restli-method", "DELETE")
        .reply(204, "");
    let wire = rest(wire, "DELETE", "/rest/posts/urn%3Ali%3Ashare%3A8").reply(
        403,
        r#"{"status":403,"code":"ACCESS_DENIED","message":"no"}"#,
    );
    let cx = cx(&wire, testing::ORGANIZATION);
    let intent = automarket_core::Intent {
        key: "key".into(),
        post: hello(),
        at: automarket_core::chrono::Utc::now(),
    };
    let found = linkedin().find(&cx, &intent).await.unwrap();
    let automarket_core::Lookup::Found(Outcome::Done(receipt)) = found else {
        panic!("{found:?}")
    };
    assert_eq!(receipt.remote_id, "urn:li:share:8");
    linkedin().delete(&cx, &receipt).await.unwrap();
    let error = linkedin().delete(&cx, &receipt).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden);
    assert!(error.remedy().is_some());
    wire.finished();
}

#[tokio::test]
async fn an_account_of_another_host_and_version_is_asked_there() {
    let wire = Script::new()
        .expect("POST", "https://proxy.example/li/rest/posts")
        .header("linkedin-version", "202701")
        .reply(201, "")
        .reply_header("x-restli-id", "urn:li:share:9");
    let tenant = TenantId::new("acme").unwrap();
    let account = Account::new(
        tenant,
        automarket_connector_linkedin::PLATFORM,
        testing::ORGANIZATION,
    )
    .with_settings(json!({"base_url": "https://proxy.example/li/", "version": "202701"}));
    let cx = wire.context().with_account(account);
    done(linkedin().publish(&cx, &Post::text("x")).await.unwrap());
    wire.finished();
}

#[test]
fn the_app_asks_for_what_every_app_can_have() {
    let provider = oauth();
    assert_eq!(provider.scopes, ["openid", "profile", "w_member_social"]);
    assert_eq!(
        provider.token_url,
        "https://www.linkedin.com/oauth/v2/accessToken"
    );
}
