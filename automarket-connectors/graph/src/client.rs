use automarket_core::{
    Context, Error, ErrorKind, Platform, Result, Secret, Url,
    hash::hex,
    http::{Call, Multipart, Reply, segment},
    http_types::Method,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use sha2::Sha256;

use crate::error::{Refine, classify};

/// The version that is spoken unless a host says otherwise.
pub const VERSION: &str = "v26.0";

/// In which header Meta says which version answered.
const SERVED: &str = "facebook-api-version";

/// The Graph API as one account sees it.
#[derive(Clone, Debug)]
pub struct Graph<'a> {
    /// Whose errors these are.
    pub platform: Platform,
    /// Where it is: scheme and host.
    pub base_url: &'a str,
    /// The version, such as [`VERSION`].
    pub version: &'a str,
    /// The token.
    pub token: &'a Secret,
    /// The app's secret: calls then carry the proof that the app made them.
    pub app_secret: Option<&'a Secret>,
    /// What the platform's own codes mean.
    pub refine: Refine,
}

impl Graph<'_> {
    /// The same on another host.
    #[must_use]
    pub fn at<'b>(&'b self, base_url: &'b str) -> Graph<'b> {
        Graph {
            base_url,
            ..self.clone()
        }
    }

    /// The address of a path, whose parts are escaped.
    ///
    /// # Errors
    /// `InvalidInput` for a part that is none, `Config` for a base address that is none.
    fn url(&self, path: &[&str]) -> Result<Url> {
        let mut text = format!(
            "{}/{}",
            self.base_url.trim_end_matches('/'),
            segment(self.version)?
        );
        for part in path {
            text.push('/');
            text.push_str(&segment(part)?);
        }
        Url::parse(&text).map_err(|error| {
            Error::new(
                ErrorKind::Config,
                "the Graph API's base address is no address",
            )
            .with_platform(&self.platform)
            .with_source(error)
        })
    }

    fn call(&self, operation: &'static str, method: Method, url: &Url) -> Result<Call> {
        Ok(Call::new(operation, method, url.as_str())?.bearer(self.token))
    }

    /// With the proof in the query, for calls without a body.
    fn proven(&self, operation: &'static str, method: Method, mut url: Url) -> Result<Call> {
        let proof = self.proof();
        if let Some(proof) = &proof {
            url.query_pairs_mut()
                .append_pair("appsecret_proof", proof.expose());
        }
        let call = self.call(operation, method, &url)?;
        Ok(match &proof {
            Some(proof) => call.masking(proof),
            None => call,
        })
    }

    fn proof(&self) -> Option<Secret> {
        let secret = self.app_secret?;
        Some(appsecret_proof(self.token, secret))
    }

    /// A `GET`.
    ///
    /// # Errors
    /// `InvalidInput` for a part of the path that is none.
    pub fn get(
        &self,
        operation: &'static str,
        path: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Call> {
        let mut url = self.url(path)?;
        url.query_pairs_mut().extend_pairs(query);
        self.proven(operation, Method::GET, url)
    }

    /// A `DELETE`.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn delete(&self, operation: &'static str, path: &[&str]) -> Result<Call> {
        self.proven(operation, Method::DELETE, self.url(path)?)
    }

    /// A `POST` of JSON.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn post(&self, operation: &'static str, path: &[&str], mut body: Value) -> Result<Call> {
        let call = self.call(operation, Method::POST, &self.url(path)?)?;
        let Some(proof) = self.proof() else {
            return call.json(&body);
        };
        body["appsecret_proof"] = proof.expose().into();
        call.masking(&proof).json(&body)
    }

    /// A `POST` of a form, whose files may be read as they leave.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub fn form(&self, operation: &'static str, path: &[&str], form: Multipart) -> Result<Call> {
        let call = self.call(operation, Method::POST, &self.url(path)?)?;
        Ok(match self.proof() {
            Some(proof) => call
                .masking(&proof)
                .multipart(form.text("appsecret_proof", proof.expose())),
            None => call.multipart(form),
        })
    }

    /// Makes the call and reads its answer.
    ///
    /// # Errors
    /// Those of [`send`](Self::send); `UnexpectedReply`.
    pub async fn ask<T: DeserializeOwned>(&self, cx: &Context, call: Call) -> Result<T> {
        let reply = self.send(cx, call).await?;
        reply
            .json()
            .map_err(|error: Error| error.with_platform(&self.platform))
    }

    /// Makes a call that makes something: its id.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn make(&self, cx: &Context, call: Call) -> Result<String> {
        Ok(self.ask::<Made>(cx, call).await?.id)
    }

    /// Makes a call whose answer says whether it was done.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub async fn did(&self, cx: &Context, call: Call) -> Result<bool> {
        Ok(self.ask::<Done>(cx, call).await?.success)
    }

    /// Deletes a thing. What is already gone is fine; what is not to be found is gone when no list holds it
    /// ([`holds`](Self::holds)), since Meta says the same of what a token may not see or delete. Where the lists cannot
    /// tell, it is gone when an answer to our own deletion was lost, unless it was seen to be there after that.
    ///
    /// # Errors
    /// As [`ask`](Self::ask), of the steps and of `listed`; `UnexpectedReply` when Meta says that it did not do it,
    /// `Forbidden` when it is there and said not to be.
    pub async fn remove<F>(
        &self,
        cx: &Context,
        operation: &'static str,
        id: &str,
        listed: impl Fn() -> F,
    ) -> Result<()>
    where
        F: Future<Output = Result<bool>>,
    {
        let there = || async {
            let one = self.get("delete.look", &[id], &[("fields", "id")])?;
            match self.send(cx, one).await {
                Err(error) if error.kind() == ErrorKind::NotFound => listed().await,
                one => one.map(|_| true),
            }
        };
        let seen = format!("graph.delete.{id}.seen");
        let look = || async {
            match there().await {
                // What was lost had not done it: that it is not shown any more is not our doing.
                Err(error) if error.kind() == ErrorKind::CannotTell => {
                    match cx.ended::<()>(&seen).await? {
                        Some(()) => Err(error),
                        None => Ok(Some(())),
                    }
                }
                Ok(true) => {
                    cx.step(&seen, || async { Ok(()) }).await?;
                    Ok(None)
                }
                there => there.map(|_| Some(())),
            }
        };
        let delete = || async {
            // A lost answer is in doubt: the next one may say that there is nothing to delete.
            let call = self.delete(operation, &[id])?.unrepeatable();
            let refusal = match self.did(cx, call).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    let why = "Meta says that it was not deleted";
                    return Err(Error::new(ErrorKind::UnexpectedReply, why)
                        .with_platform(&self.platform)
                        .with_operation(operation));
                }
                Err(error) if error.kind() == ErrorKind::NotFound => error,
                Err(error) => return Err(error),
            };
            match there().await? {
                false => Ok(()),
                true => Err(refusal.with_kind(ErrorKind::Forbidden).with_remedy(
                    "delete it there, or connect the account again and grant all permissions",
                )),
            }
        };
        cx.once(&format!("graph.delete.{id}"), look, delete).await
    }

    /// Makes the call; an answer that is no success is its error, and so is one that only says so in its body.
    ///
    /// # Errors
    /// Those of [`Context::call`] and of [`classify`].
    pub async fn send(&self, cx: &Context, call: Call) -> Result<Reply> {
        let sent = cx.call(call).await;
        self.judge(
            cx,
            sent.map_err(|error| error.with_platform(&self.platform))?,
        )
    }

    /// The answer, unless it is a refusal.
    ///
    /// # Errors
    /// Those of [`classify`].
    pub fn judge(&self, cx: &Context, reply: Reply) -> Result<Reply> {
        match classify(&reply, cx.now(), self.refine) {
            None => Ok(reply),
            Some(error) => Err(error.with_platform(&self.platform)),
        }
    }

    /// Whether the version that was asked for is the one that answered.
    ///
    /// # Errors
    /// `ApiVersionRetired` when it is another.
    pub fn require_version(&self, reply: &Reply) -> Result<()> {
        match reply.header(SERVED) {
            Some(served) if served != self.version => Err(Error::new(
                ErrorKind::ApiVersionRetired,
                format!(
                    "the Graph API answered in {served}, not in {}",
                    self.version
                ),
            )
            .with_platform(&self.platform)
            .with_operation(reply.operation())
            .with_remedy("update automarket, or set `version` to one that is served")),
            _ => Ok(()),
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Made {
    pub(crate) id: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Done {
    success: bool,
}

/// The proof that a call with this token was made by who knows the app's secret: the lower-case hex of
/// HMAC-SHA256 of the token under it.
#[must_use]
pub fn appsecret_proof(token: &Secret, app_secret: &Secret) -> Secret {
    let mut proof = String::new();
    // A key of HMAC may be of any length.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(app_secret.expose().as_bytes()) {
        mac.update(token.expose().as_bytes());
        proof = hex(mac.finalize().into_bytes());
    }
    Secret::new(proof)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_an_hmac() {
        // RFC 4231, test case 2.
        let proof = appsecret_proof(
            &Secret::new("what do ya want for nothing?"),
            &Secret::new("Jefe"),
        );
        assert_eq!(
            proof.expose(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn the_version_is_the_one_of_the_networks() {
        for network in [Platform::FACEBOOK, Platform::INSTAGRAM] {
            let profile = automarket_core::networks::profile(&network).unwrap();
            assert_eq!(profile.api.version, VERSION);
        }
    }
}
