//! The networks of a request, each with its rules and its account.

use std::sync::Arc;

use automarket_core::{
    Error, Platform, Profile, Publisher, Result, TenantId,
    check::Report,
    content::{Post, Variant, Voice},
    networks,
    publisher::{judge, rules_for},
};

use super::{CampaignRequest, CampaignTarget, Route};
use crate::market::Engine;

/// One network of the request with its rules.
pub(super) struct Lane {
    pub(super) network: Platform,
    pub(super) rules: Profile,
    pub(super) route: Route,
    /// Of the account that it goes to.
    publisher: Option<Arc<dyn Publisher>>,
}

impl Lane {
    /// # Errors
    /// `NotFound` for an account that the tenant does not have; `Config` for one without connector; `InvalidInput`
    /// for one of another network, and for a network without account of which nothing is known.
    async fn of(engine: &Engine, tenant: &TenantId, target: &CampaignTarget) -> Result<Self> {
        let network = target.network.clone();
        let (rules, publisher) = match &target.route {
            Route::Account(id) => {
                let account = engine.account(tenant, *id).await?;
                if account.network != network {
                    let other = format!(
                        "{} speaks on {}, not {network}",
                        account.name, account.network
                    );
                    return Err(Error::invalid("targets", other));
                }
                let publisher = engine.publisher(&account.platform)?;
                (rules_for(&account, &**publisher), Some(publisher.clone()))
            }
            Route::Disabled(_) => {
                let unknown = || format!("nothing is known of the network {network}");
                let rules = networks::profile(&network);
                let rules = rules.ok_or_else(|| Error::invalid("targets", unknown()))?;
                (rules, None)
            }
        };
        Ok(Self {
            network,
            rules,
            route: target.route.clone(),
            publisher,
        })
    }

    /// What stands against this, here: all that a plan would find.
    pub(super) fn judge(&self, variant: &Variant, voice: &Voice) -> Report {
        let post = Post::text("").variant(self.network.clone(), variant.clone());
        let content = post.content_for(&self.network, None);
        judge(&content, &self.rules, voice, self.publisher.as_deref())
    }
}

/// The request's networks, in order.
pub(super) async fn lanes(
    engine: &Engine,
    tenant: &TenantId,
    request: &CampaignRequest,
) -> Result<Vec<Lane>> {
    let mut lanes = Vec::new();
    for target in &request.targets {
        let lane = Lane::of(engine, tenant, target).await;
        lanes.push(lane.map_err(|error| error.with_field("targets"))?);
    }
    Ok(lanes)
}
