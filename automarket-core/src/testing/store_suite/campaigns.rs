use chrono::TimeDelta;

use super::{
    StoreCase, StoreUnderTest,
    samples::{campaign, tenant},
};
use crate::{CampaignId, content::CampaignStatus};

pub(super) fn cases() -> Vec<StoreCase> {
    vec![
        StoreCase::new("a campaign comes back with every field", |s| {
            Box::pin(comes_back_whole(s))
        }),
        StoreCase::new("a campaign put again is replaced", |s| {
            Box::pin(replaced(s))
        }),
        StoreCase::new("campaigns are listed newest first, up to the limit", |s| {
            Box::pin(newest_first(s))
        }),
    ]
}

async fn comes_back_whole(s: &StoreUnderTest) {
    let (a, campaign) = (tenant("a"), campaign("launch", s.now().await));
    s.store.put_campaign(&a, &campaign).await.unwrap();
    let read = s.store.campaign(&a, campaign.id).await.unwrap();
    assert_eq!(read, Some(campaign));
}

async fn replaced(s: &StoreUnderTest) {
    let (a, mut campaign) = (tenant("a"), campaign("launch", s.now().await));
    s.store.put_campaign(&a, &campaign).await.unwrap();
    campaign.status = CampaignStatus::Completed;
    campaign.source = None;
    s.store.put_campaign(&a, &campaign).await.unwrap();
    assert_eq!(s.store.campaigns(&a, 10).await.unwrap(), [campaign]);
}

async fn newest_first(s: &StoreUnderTest) {
    let (a, now) = (tenant("a"), s.now().await);
    let names: Vec<String> = (0..9).map(|n| format!("campaign {n}")).collect();
    for (name, n) in names.iter().zip(0..) {
        let mut campaign = campaign(name, now + TimeDelta::milliseconds(n));
        campaign.id = CampaignId::derived_at(name, campaign.created_at);
        s.store.put_campaign(&a, &campaign).await.unwrap();
    }
    let listed = s.store.campaigns(&a, 8).await.unwrap();
    let listed: Vec<&String> = listed.iter().map(|c| &c.name).collect();
    assert!(listed.into_iter().eq(names[1..].iter().rev()));
}
