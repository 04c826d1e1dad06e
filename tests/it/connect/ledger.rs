//! A CRM that nobody can connect any more.

use automarket::core::{
    CrmProvider,
    crm::{
        Activity, CampaignRecord, CampaignRecorded, Changes, Company, Contact, CrmProfile, Field,
        Lead, Record, Upserted,
    },
    http_types::Method,
};

use super::*;

pub(super) struct Ledger(CrmProfile);

impl Ledger {
    pub(super) fn closed(platform: Platform, why: &'static str) -> Self {
        let api = ApiVersion::new("v1", "https://ledger.example/docs");
        let mut profile = CrmProfile::new(platform, "Ledger", api);
        profile.status = Status::Closed(why);
        Self(profile)
    }
}

fn never<T>() -> Result<T> {
    Err(Error::unsupported("nobody gets this far"))
}

#[async_trait]
impl CrmProvider for Ledger {
    fn profile(&self) -> &CrmProfile {
        &self.0
    }

    async fn identify(&self, _: &Context) -> Result<Vec<Identity>> {
        never()
    }

    async fn find_contact(&self, _: &Context, _: &str) -> Result<Option<Record>> {
        never()
    }

    async fn upsert_contacts(&self, _: &Context, _: &[Contact]) -> Result<Vec<Result<Upserted>>> {
        never()
    }

    async fn upsert_leads(&self, _: &Context, _: &[Lead]) -> Result<Vec<Result<Upserted>>> {
        never()
    }

    async fn upsert_companies(&self, _: &Context, _: &[Company]) -> Result<Vec<Result<Upserted>>> {
        never()
    }

    async fn record_activity(&self, _: &Context, _: &Activity) -> Result<Upserted> {
        never()
    }

    async fn record_campaign(&self, _: &Context, _: &CampaignRecord) -> Result<CampaignRecorded> {
        never()
    }

    async fn fields(&self, _: &Context, _: &str) -> Result<Vec<Field>> {
        never()
    }

    async fn ensure_fields(&self, _: &Context, _: &str, _: &[Field]) -> Result<Vec<String>> {
        never()
    }

    async fn changes_since(&self, _: &Context, _: &str, _: Option<&str>) -> Result<Changes> {
        never()
    }

    async fn archive(&self, _: &Context, _: &str, _: &str) -> Result<()> {
        never()
    }

    async fn raw(&self, _: &Context, _: Method, _: &str, _: Option<&Value>) -> Result<Value> {
        never()
    }
}
