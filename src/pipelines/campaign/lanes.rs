//! The networks of a request, each with its rules and its account.

use automarket_core::{Error, Platform, Profile, Result, TenantId, networks};

use super::{CampaignRequest, CampaignTarget, Route};
use crate::{market::Engine, publishing::rules_for};

/// One network of the request with its rules.
pub(super) struct Lane {
    pub(super) network: Platform,
    pub(super) rules: Profile,
    pub(super) route: Route,
}

impl Lane {
    /// # Errors
    /// `NotFound` for an account that the tenant does not have; `Config` for one without connector; `InvalidInput`
    /// for one of another network, and for a network without account of which nothing is known.
    async fn of(engine: &Engine, tenant: &TenantId, target: &CampaignTarget) -> Result<Self> {
        let network = target.network.clone();
        let rules = match &target.route {
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
                rules_for(&account, &**publisher)
            }
            Route::Disabled(_) => {
                let unknown = || format!("nothing is known of the network {network}");
                let rules = networks::profile(&network);
                rules.ok_or_else(|| Error::invalid("targets", unknown()))?
            }
        };
        Ok(Self {
            network,
            rules,
            route: target.route.clone(),
        })
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
