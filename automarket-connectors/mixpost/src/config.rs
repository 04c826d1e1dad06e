use automarket_core::{Error, ErrorKind, Result, Url};
use serde::{Deserialize, Serialize};

/// Which Mixpost, and which of its workspaces. An account's settings of the same shape are laid over it
/// (`Context::config`), so one connector can serve tenants with instances of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixpostConfig {
    /// The instance with its core path, which is `mixpost` unless the host renamed it:
    /// `https://social.acme.dev/mixpost`. `/api` is added by the connector (and tolerated here).
    pub base_url: String,
    /// The workspace's UUID: Social Accounts, the three dots of an account, copy workspace UUID.
    pub workspace: String,
}

impl MixpostConfig {
    /// The configuration of a workspace on an instance.
    #[must_use]
    pub fn new(base_url: impl Into<String>, workspace: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            workspace: workspace.into(),
        }
    }

    /// The address that all paths of the API follow, without a slash at its end.
    pub(crate) fn root(&self) -> Result<String> {
        let wrong = |why: &str| {
            Error::new(ErrorKind::Config, format!("base_url {why}")).with_remedy(
                "base_url is the address of the dashboard with its core path, such as \
                 https://social.acme.dev/mixpost",
            )
        };
        let url = Url::parse(self.base_url.trim())
            .map_err(|error| wrong("is not an absolute address").with_source(error))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("is not http or https"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("holds a user or password"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("holds a query or fragment"));
        }
        let base = url.as_str().trim_end_matches('/');
        Ok(format!("{}/api", base.strip_suffix("/api").unwrap_or(base)))
    }

    /// Checks both values without any request.
    ///
    /// # Errors
    /// `Config` naming the value.
    pub fn validate(&self) -> Result<()> {
        self.root()?;
        if self.workspace.trim().is_empty() {
            return Err(
                Error::new(ErrorKind::Config, "workspace is empty").with_remedy(
                    "copy the workspace UUID in Mixpost under Social Accounts, or list them with \
                     Mixpost::workspaces",
                ),
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_path_is_kept_and_api_is_added_once() {
        for (base, root) in [
            ("https://h.example/mixpost", "https://h.example/mixpost/api"),
            (
                "https://h.example/mixpost/",
                "https://h.example/mixpost/api",
            ),
            ("https://h.example/os/api", "https://h.example/os/api"),
            ("https://h.example", "https://h.example/api"),
        ] {
            assert_eq!(MixpostConfig::new(base, "w").root().unwrap(), root);
        }
    }

    #[test]
    fn what_is_no_instance_is_refused_by_name() {
        for base in [
            "",
            "social.acme.dev",
            "ftp://h",
            "https://u:p@h",
            "https://h?x=1",
        ] {
            let error = MixpostConfig::new(base, "w").validate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{base}");
            assert!(error.to_string().contains("base_url"), "{error}");
        }
        let error = MixpostConfig::new("https://h", " ").validate().unwrap_err();
        assert!(error.to_string().contains("workspace"), "{error}");
    }
}
