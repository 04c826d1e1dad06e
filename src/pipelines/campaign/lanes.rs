//! The networks of a request, each with its rules and its account.

use std::sync::Arc;

use automarket_core::{
    Delivery, Error, Platform, Profile, Publisher, Result, TenantId,
    check::Report,
    content::{Post, Variant, Voice},
    networks,
    publisher::{judge, rules_for},
    store::Account,
};

use super::{CampaignRequest, CampaignTarget, Route};
use crate::market::Engine;

/// One network of the request with its rules.
pub(super) struct Lane {
    pub(super) network: Platform,
    pub(super) rules: Profile,
    pub(super) route: Route,
    /// The account that it goes to, and its connector.
    to: Option<(Account, Arc<dyn Publisher>)>,
}

impl Lane {
    /// # Errors
    /// `NotFound` for an account that the tenant does not have; `Config` for one without connector; `InvalidInput`
    /// for one of another network, and for a network without account of which nothing is known.
    async fn of(engine: &Engine, tenant: &TenantId, target: &CampaignTarget) -> Result<Self> {
        let network = target.network.clone();
        let (rules, to) = match &target.route {
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
                let rules = rules_for(&account, &**publisher);
                (rules, Some((account, publisher.clone())))
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
            to,
        })
    }

    /// What stands against this, here: all that a plan would find.
    pub(super) fn judge(&self, variant: &Variant, voice: &Voice) -> Report {
        let post = Post::text("").variant(self.network.clone(), variant.clone());
        let content = post.content_for(&self.network, None);
        let (publisher, account) = match &self.to {
            Some((account, publisher)) => (Some(&**publisher), Some(account)),
            None => (None, None),
        };
        let (now, rules) = (Delivery::Now, &self.rules);
        judge(&content, now, rules, voice, publisher, account)
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
