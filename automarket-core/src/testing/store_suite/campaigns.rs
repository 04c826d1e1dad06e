use super::{
    StoreCase, StoreUnderTest,
    samples::{campaign, tenant},
};
use crate::content::CampaignStatus;

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
    for name in ["first", "second", "third"] {
        s.store
            .put_campaign(&a, &campaign(name, now))
            .await
            .unwrap();
    }
    let listed = s.store.campaigns(&a, 2).await.unwrap();
    let names: Vec<&str> = listed.iter().map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["third", "second"]);
}
