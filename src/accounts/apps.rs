//! The OAuth apps of the host: who renews and revokes tokens.

use std::collections::BTreeMap;

use automarket_core::{
    Platform,
    oauth::{App, Provider},
};

/// By platform and the app's name.
#[derive(Debug, Default)]
pub(crate) struct Apps(BTreeMap<(Platform, String), (Provider, App)>);

impl Apps {
    pub(crate) fn add(&mut self, provider: Provider, app: App) {
        let key = (provider.platform.clone(), app.name.clone());
        self.0.insert(key, (provider, app));
    }

    pub(crate) fn get(&self, platform: &Platform, name: &str) -> Option<&(Provider, App)> {
        self.0.get(&(platform.clone(), name.to_owned()))
    }
}
