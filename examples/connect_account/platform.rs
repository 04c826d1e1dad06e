//! A platform with pages, as its connector knows it and as a local server plays it. Yours is a real one:
//! then this file is one line, the connector.

use std::{io, sync::Arc};

use automarket::{
    Context, Error, ErrorKind, Identity, Notice, Notifier, Platform, Profile, Result,
    core::{Outcome, async_trait},
    http::{Call, classify},
    oauth::{Pkce, Provider, Refresh},
    profile::ApiVersion,
    testing::{AuthRules, AuthServer, Sandbox, Server},
};
use serde_json::Value;

pub(crate) const PLATFORM: Platform = Platform::from_static("pages");
const HOST: &str = "pages.example";

/// The platform's OAuth ways, as data.
pub(crate) fn provider(base: &str) -> Provider {
    Provider {
        pkce: Pkce::S256,
        scopes: &["pages.list", "pages.write"],
        refresh: Refresh::Token { rotates: true },
        ..Provider::new(
            PLATFORM,
            format!("{base}/authorize"),
            format!("{base}/token"),
        )
    }
}

/// The local authorization server, in which a user always agrees.
pub(crate) async fn start(callback: &str) -> io::Result<Server> {
    let rules = AuthRules {
        client_id: "acme-app".into(),
        client_secret: "acme-app-secret".into(),
        redirect_uris: vec![callback.to_owned()],
        rotates: true,
        accounts: vec![
            ("1001".into(), "Acme".into()),
            ("1002".into(), "Acme Careers".into()),
        ],
        account_tokens: true,
        ..AuthRules::new(PLATFORM, HOST)
    };
    let world = Sandbox::new().with(Arc::new(AuthServer::new(rules)));
    Server::start(Arc::new(world), HOST).await
}

/// The connector, as far as this example needs one: it says which pages a token speaks for.
pub(crate) struct Pages {
    profile: Profile,
    base: String,
}

impl Pages {
    pub(crate) fn new(base: &str) -> Self {
        let api = ApiVersion::new("v1", "https://pages.example/docs");
        Self {
            profile: Profile::new(PLATFORM, "Pages", api),
            base: base.to_owned(),
        }
    }
}

#[async_trait]
impl Notifier for Pages {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    async fn identify(&self, cx: &Context) -> Result<Vec<Identity>> {
        let call = Call::get("me", &format!("{}/me", self.base))?.bearer(cx.token()?);
        let reply = cx.call(call).await?;
        if !reply.ok() {
            return Err(classify(&reply, cx.now()).with_platform(&PLATFORM));
        }
        let body: Value = reply.json()?;
        let text = |page: &Value, name: &str| page[name].as_str().map(str::to_owned);
        let pages = body["data"].as_array().into_iter().flatten();
        let pages = pages.map(|page| {
            let missing = || Error::new(ErrorKind::UnexpectedReply, "a page has no id");
            let id = text(page, "id").ok_or_else(missing)?;
            let name = text(page, "name").unwrap_or_else(|| id.clone());
            Ok(Identity {
                // Each page has a token of its own.
                credential: text(page, "access_token").map(automarket::Credential::token),
                ..Identity::new(id, PLATFORM, name)
            })
        });
        pages.collect()
    }

    async fn notify(&self, _: &Context, _: &Notice) -> Result<Outcome> {
        Err(Error::unsupported("this example tells nobody anything"))
    }
}
