//! What is told of a campaign: its status, the CRM's record, the notice, the findings of the report.

use automarket_core::{
    Notice,
    content::CampaignStatus,
    crm::{CampaignPost, CampaignRecord, CampaignUtm},
};

use super::{
    Mode, TargetFinding, TargetReport,
    compose::{Composed, Text},
};

/// Where a campaign stands, by what became of its texts.
pub(super) fn status(mode: Mode, targets: &[TargetReport]) -> CampaignStatus {
    let sent = |target: &&TargetReport| target.publication.is_some() && !target.is_off();
    let taken = |target: &TargetReport| matches!(target.status.as_str(), "published" | "accepted");
    let mut sent = targets.iter().filter(sent).peekable();
    match mode {
        Mode::Draft => CampaignStatus::Draft,
        _ if sent.peek().is_none() => CampaignStatus::Draft,
        Mode::Immediate if sent.any(taken) => CampaignStatus::Active,
        Mode::Immediate | Mode::Review => CampaignStatus::Scheduled,
    }
}

/// What the checks found, network by network.
pub(super) fn findings(texts: &[Text]) -> Vec<TargetFinding> {
    let of = |text: &Text| {
        let platform = text.network.clone();
        let found = text.report.findings.clone().into_iter();
        found.map(move |finding| TargetFinding {
            platform: platform.clone(),
            finding,
        })
    };
    texts.iter().flat_map(of).collect()
}

/// What the CRM is told: only what is out or to come.
pub(super) fn crm_record(composed: &Composed, targets: &[TargetReport]) -> CampaignRecord {
    let campaign = &composed.campaign;
    let key = campaign.id.to_string();
    let targets = || targets.iter().filter(|target| !target.is_off());
    let posts = targets().map(|target| CampaignPost {
        key: format!("{key} post {}", target.platform),
        network: target.platform.clone(),
        text: target.text.clone(),
        length: target.length,
        scheduled_at: target.scheduled_at,
        remote_id: target.remote_id.clone(),
    });
    let utms = targets().filter_map(|target| {
        Some(CampaignUtm {
            key: format!("{key} utm {}", target.platform),
            utm: campaign.utm.with_source(target.platform.as_str()),
            href: target.link.clone()?,
            networks: vec![target.platform.clone()],
        })
    });
    CampaignRecord {
        posts: posts.collect(),
        utms: utms.collect(),
        name: campaign.name.clone(),
        description: campaign.description.clone(),
        status: campaign.status,
        kind: "website".into(),
        source: campaign.source.clone(),
        key,
    }
}

/// What people are told: each network, with the reason where it is not there.
pub(super) fn notice(composed: &Composed, targets: &[TargetReport]) -> Notice {
    let campaign = &composed.campaign;
    let mut notice = Notice::new(
        format!("Campaign: {}", campaign.name),
        campaign.description.clone(),
    );
    for target in targets {
        let status = target.reason.as_ref().map_or_else(
            || target.status.clone(),
            |why| format!("{}: {why}", target.status),
        );
        notice = notice.field(target.platform.as_str(), status);
    }
    if let Some(due) = targets.iter().find_map(|target| target.scheduled_at) {
        notice = notice.field("goes out", due.to_rfc3339());
    }
    notice
        .links
        .extend(campaign.source.clone().map(|url| ("Page".to_owned(), url)));
    notice
}
