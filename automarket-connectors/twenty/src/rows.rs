//! Our words as Twenty's records.

use std::collections::{BTreeMap, HashMap};

use automarket_core::{
    Error, Result, Url,
    crm::{Activity, CampaignPost, CampaignRecord, CampaignUtm, Company, Contact, Lead},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::{PLATFORM, batch::Row, wire::object};

/// An id that follows from our key, so that a repeated write meets the same record. Twenty takes versions
/// 1 to 5 only.
pub(crate) fn derived(object: &str, key: &str) -> String {
    let space = Uuid::new_v5(&Uuid::NAMESPACE_URL, b"automarket.twenty");
    Uuid::new_v5(&space, json!([object, key]).to_string().as_bytes()).to_string()
}

/// An address, trimmed and in lower case, its domain as people read it: so Twenty keeps them. Quoted local
/// parts are not taken: what is left holds no character that has a meaning in a filter.
pub(crate) fn email(text: &str) -> Result<String> {
    let email = as_kept(text);
    let odd = |c: char| c.is_control() || c.is_whitespace() || "\"\\,;:()<>[]".contains(c);
    let plain = email.len() <= 254
        && !email.chars().any(odd)
        && email.split_once('@').is_some_and(|(local, domain)| {
            !local.is_empty() && !domain.is_empty() && !domain.contains('@')
        });
    if plain {
        Ok(email)
    } else {
        Err(invalid("email", "an address is written name@example.com"))
    }
}

/// How an address may stand there: older servers keep it as it came.
pub(crate) fn email_spellings(email: &str) -> Vec<String> {
    let (local, domain) = email.split_once('@').unwrap_or((email, ""));
    let [ascii, read] = spellings(domain);
    let mut both = vec![format!("{local}@{read}"), format!("{local}@{ascii}")];
    both.dedup();
    both
}

fn as_kept(email: &str) -> String {
    let lower = email.trim().to_lowercase();
    match lower.split_once('@') {
        Some((local, domain)) => {
            let [_, read] = spellings(domain.trim_end_matches('.'));
            format!("{local}@{read}")
        }
        None => lower,
    }
}

/// An international domain in ASCII and as people read it, by the rules of `URL`, which are Twenty's, too.
/// What is no domain stays as it is.
fn spellings(name: &str) -> [String; 2] {
    let both = || {
        let mut url = Url::parse("https://domain.invalid/").ok()?;
        url.set_host(Some(name).filter(|name| !name.contains(':')))
            .ok()?;
        let read = url.origin().unicode_serialization();
        let read = read.strip_prefix("https://")?.to_owned();
        Some([url.domain()?.to_owned(), read])
    };
    both().unwrap_or_else(|| [name.to_owned(), name.to_owned()])
}

/// A domain without scheme, path and port, in ASCII and lower case.
pub(crate) fn domain(text: &str) -> Result<String> {
    let lower = text.trim().to_lowercase();
    let rest = lower.split_once("://").map_or(&*lower, |(_, rest)| rest);
    let name = rest.split(['/', '?', '#', ':']).next().unwrap_or_default();
    let [name, _] = spellings(name.trim_end_matches('.'));
    let odd = |c: char| c.is_control() || c.is_whitespace() || "\"\\,;()<>[]@".contains(c);
    if name.is_empty() || name.len() > 253 || name.chars().any(odd) {
        Err(invalid("domain", "a domain is written example.com"))
    } else {
        Ok(name)
    }
}

/// A domain without its `www.`: by that Twenty compares companies, too.
pub(crate) fn bare(domain: &str) -> &str {
    let rest = domain.strip_prefix("www.");
    rest.filter(|rest| rest.contains('.')).unwrap_or(domain)
}

/// The same domain with `www.`, or without, where there can be both.
pub(crate) fn twin(domain: &str) -> String {
    match bare(domain) {
        bare if bare != domain => bare.to_owned(),
        same if same.contains('.') && !same.starts_with("www.") => format!("www.{same}"),
        same => same.to_owned(),
    }
}

/// How Twenty itself writes a domain, and the other ways in which it may stand there.
pub(crate) fn domain_urls(domain: &str) -> Vec<String> {
    let names = [domain.to_owned(), twin(domain)]
        .into_iter()
        .flat_map(|name| {
            let mut names = spellings(&name).to_vec();
            names.dedup();
            names
        });
    let ways = |name: String| [format!("https://{name}"), format!("http://{name}"), name];
    names.flat_map(ways).collect()
}

pub(crate) fn email_of(person: &Value) -> Option<String> {
    Some(as_kept(person.pointer("/emails/primaryEmail")?.as_str()?))
}

/// All addresses of a person, the primary one first. One without has the empty one in its place.
pub(crate) fn emails_of(person: &Value) -> Vec<String> {
    let further = person.pointer("/emails/additionalEmails");
    let further = further.and_then(Value::as_array).into_iter().flatten();
    let further = further.filter_map(Value::as_str).map(as_kept);
    let primary = email_of(person).unwrap_or_default();
    std::iter::once(primary).chain(further).collect()
}

pub(crate) fn domain_of(company: &Value) -> Option<String> {
    domain(company.pointer("/domainName/primaryLinkUrl")?.as_str()?).ok()
}

pub(crate) fn bare_of(company: &Value) -> Option<String> {
    Some(bare(&domain_of(company)?).to_owned())
}

/// Inputs with the same key become one: what the later says lays over the earlier.
pub(crate) struct Distinct<T>(Vec<(String, T, Vec<usize>)>, HashMap<String, usize>);

impl<T> Distinct<T> {
    pub(crate) fn new() -> Self {
        Self(Vec::new(), HashMap::new())
    }

    pub(crate) fn add(&mut self, key: String, at: usize, value: T, lay: fn(&mut T, T)) {
        let known = self.1.get(&key).and_then(|index| self.0.get_mut(*index));
        if let Some((_, earlier, places)) = known {
            lay(earlier, value);
            places.push(at);
        } else {
            self.1.insert(key.clone(), self.0.len());
            self.0.push((key, value, vec![at]));
        }
    }

    pub(crate) fn items(&self) -> &[(String, T, Vec<usize>)] {
        &self.0
    }
}

pub(crate) fn lay_contact(earlier: &mut Contact, later: Contact) {
    fn lay<T>(earlier: &mut Option<T>, later: Option<T>) {
        if later.is_some() {
            *earlier = later;
        }
    }
    lay(&mut earlier.first_name, later.first_name);
    lay(&mut earlier.last_name, later.last_name);
    lay(&mut earlier.phone, later.phone);
    lay(&mut earlier.job_title, later.job_title);
    lay(&mut earlier.city, later.city);
    lay(&mut earlier.linkedin, later.linkedin);
    lay(&mut earlier.company_id, later.company_id);
    earlier.fields.extend(later.fields);
}

pub(crate) fn lay_company(earlier: &mut Company, later: Company) {
    if !later.name.is_empty() {
        earlier.name = later.name;
    }
    earlier.employees = later.employees.or(earlier.employees);
    earlier.fields.extend(later.fields);
}

/// The further fields of a record; the id is not theirs to give.
pub(crate) fn extra(fields: &BTreeMap<String, Value>) -> Result<Map<String, Value>> {
    if fields.contains_key("id") {
        return Err(invalid("fields.id", "the id is found by the natural key"));
    }
    Ok(fields.clone().into_iter().collect())
}

/// The person as it is sent. A known one keeps the parts of its composite fields that the contact does not
/// speak of; a new one gets no id, so that it can only meet a record of the same address, and nothing empty, since somebody may
/// have made that record meanwhile.
pub(crate) fn person(
    email: &str,
    contact: &Contact,
    known: Option<&Value>,
) -> Result<Map<String, Value>> {
    let mut row = extra(&contact.fields)?;
    match known {
        Some(known) => {
            row.insert("id".into(), known["id"].clone());
            // Twenty makes an id anew that somebody destroyed meanwhile: with its address it is met again.
            let primary = known.pointer("/emails/primaryEmail");
            let primary = primary.and_then(Value::as_str);
            if let Some(primary) = primary.filter(|text| self::email(text).is_ok()) {
                let emails = json!({"primaryEmail": primary});
                row.entry("emails").or_insert(emails);
            }
        }
        None => {
            row.insert("emails".into(), json!({"primaryEmail": email}));
        }
    }
    if contact.first_name.is_some() || contact.last_name.is_some() {
        let mut name = parts(known, "name");
        for (part, value) in [
            ("firstName", &contact.first_name),
            ("lastName", &contact.last_name),
        ] {
            if let Some(value) = value {
                name.insert(part.into(), json!(value));
            }
        }
        row.insert("name".into(), name.into());
    }
    if let Some(phone) = &contact.phone
        && known.and_then(phone_of) != Some(dialled(phone))
    {
        let mut phones = parts(known, "phones");
        // Twenty takes both codes from the number, unless it is sent some: empty ones stay empty, old ones are in conflict.
        phones.retain(|part, _| !part.ends_with("Code"));
        phones.insert("primaryPhoneNumber".into(), json!(phone));
        row.insert("phones".into(), phones.into());
    }
    if let Some(url) = &contact.linkedin {
        let mut link = link_parts(known, "linkedinLink");
        link.insert("primaryLinkUrl".into(), json!(url));
        row.insert("linkedinLink".into(), link.into());
    }
    for (name, value) in [
        ("jobTitle", &contact.job_title),
        ("city", &contact.city),
        ("companyId", &contact.company_id),
    ] {
        if let Some(value) = value {
            row.insert(name.into(), json!(value));
        }
    }
    Ok(row)
}

/// The field that a known record is sent with though it has it, unless the host writes it itself.
pub(crate) fn held(
    natural: &'static str,
    fields: &BTreeMap<String, Value>,
) -> Option<&'static str> {
    Some(natural).filter(|name| !fields.contains_key(*name))
}

/// The composite fields that these contacts write.
pub(crate) fn composites<'a>(contacts: impl Iterator<Item = &'a Contact>) -> Vec<&'static str> {
    let mut written = Vec::new();
    for contact in contacts {
        if contact.first_name.is_some() || contact.last_name.is_some() {
            written.push("name");
        }
        if contact.phone.is_some() {
            written.push("phones");
        }
        if contact.linkedin.is_some() {
            written.push("linkedinLink");
        }
    }
    written
}

/// What a known record has of a composite field.
fn parts(known: Option<&Value>, field: &str) -> Map<String, Value> {
    let composite = known.and_then(|known| known[field].as_object());
    let mut parts = composite.cloned().unwrap_or_default();
    parts.retain(|_, value| !value.is_null());
    parts
}

/// Those of a link. Twenty reads further links out of a JSON text alone, though it answers them as a list.
fn link_parts(known: Option<&Value>, field: &str) -> Map<String, Value> {
    let mut parts = parts(known, field);
    if let Some(further) = parts.get_mut("secondaryLinks")
        && further.is_array()
    {
        *further = json!(further.to_string());
    }
    parts
}

/// The number of a known person in one piece: newer servers keep the calling code apart.
fn phone_of(person: &Value) -> Option<String> {
    let phones = &person["phones"];
    let number = phones["primaryPhoneNumber"].as_str()?;
    let code = phones["primaryPhoneCallingCode"].as_str();
    let code = code.filter(|_| !number.starts_with('+'));
    Some(dialled(&format!("{}{number}", code.unwrap_or_default())))
}

/// A number without what only separates.
fn dialled(number: &str) -> String {
    let counts = |c: &char| *c == '+' || c.is_ascii_digit();
    number.chars().filter(counts).collect()
}

/// The company as it is sent; its domain is in its plain form.
pub(crate) fn company(company: &Company, known: Option<&Value>) -> Result<Map<String, Value>> {
    let mut row = extra(&company.fields)?;
    match known {
        Some(there) => {
            row.insert("id".into(), there["id"].clone());
            // As for a person. What has no scheme may be refused now.
            let link = link_parts(known, "domainName");
            let url = link.get("primaryLinkUrl").and_then(Value::as_str);
            if url.is_some_and(|url| url.starts_with("http")) {
                row.entry("domainName").or_insert(link.into());
            }
        }
        None => {
            let link = json!({"primaryLinkUrl": format!("https://{}", company.domain)});
            row.insert("domainName".into(), link);
        }
    }
    if !company.name.is_empty() {
        row.insert("name".into(), json!(company.name));
    }
    if let Some(employees) = company.employees {
        row.insert("employees".into(), json!(employees));
    }
    Ok(row)
}

/// The sale of a lead, by the host's key.
pub(crate) fn opportunity(lead: &Lead, person_id: &str) -> Result<Map<String, Value>> {
    let mut row = extra(&lead.fields)?;
    row.insert("id".into(), json!(derived("opportunity", &lead.key)));
    row.insert("pointOfContactId".into(), json!(person_id));
    if !lead.name.is_empty() {
        row.insert("name".into(), json!(lead.name));
    }
    if let Some(stage) = &lead.stage {
        row.insert("stage".into(), json!(stage));
    }
    if let Some((micros, currency)) = &lead.amount {
        row.insert(
            "amount".into(),
            json!({"amountMicros": micros, "currencyCode": currency}),
        );
    }
    Ok(row)
}

/// The note of an activity. Notes have no time of their own, so it stands at the end of the text.
pub(crate) fn note(activity: &Activity, plain_body: bool) -> Value {
    let at = activity.at.format("%Y-%m-%d %H:%M:%S UTC");
    let text = format!("{}\n\n*{at}*", activity.body);
    let mut note = object([
        ("id", json!(derived("note", &activity.key))),
        ("title", json!(activity.title)),
    ]);
    if plain_body {
        note.insert("body".into(), json!(text));
    } else {
        note.insert("bodyV2".into(), json!({"markdown": text}));
    }
    note.into()
}

/// The tie between a note and its record; `field` is `targetPersonId`, or `personId` on older servers.
pub(crate) fn note_target(activity: &Activity, note_id: &str, field: &str) -> Value {
    let key = json!([activity.key, activity.object, activity.record_id]).to_string();
    object([
        ("id", json!(derived("noteTarget", &key))),
        ("noteId", json!(note_id)),
        (field, json!(activity.record_id)),
    ])
    .into()
}

pub(crate) fn campaign(record: &CampaignRecord) -> Value {
    let status = serde_json::to_value(record.status).unwrap_or_default();
    let status = status.as_str().unwrap_or("draft").to_uppercase();
    json!({
        "id": derived("campaign", &record.key),
        "externalKey": record.key,
        "name": record.name,
        "description": record.description,
        "campaignStatus": status,
        "campaignType": record.kind,
        "sourceUrl": record.source.as_ref().map_or("", |url| url.as_str()),
    })
}

pub(crate) fn campaign_post(at: usize, post: &CampaignPost, campaign_id: &str) -> Row {
    let body = object([
        ("name", json!(headline(post.network.as_str(), &post.text))),
        ("platform", json!(post.network)),
        ("content", json!(post.text)),
        ("characterCount", json!(post.length)),
        ("scheduledAt", json!(post.scheduled_at)),
        (
            "remoteId",
            json!(post.remote_id.as_deref().unwrap_or_default()),
        ),
        ("campaignId", json!(campaign_id)),
    ]);
    keyed("campaignPost", at, &post.key, body)
}

pub(crate) fn utm_record(at: usize, link: &CampaignUtm, campaign_id: &str) -> Row {
    let utm = &link.utm;
    let body = object([
        ("name", json!(headline(&utm.campaign, &utm.source))),
        ("utmSource", json!(utm.source)),
        ("utmMedium", json!(utm.medium)),
        ("utmCampaign", json!(utm.campaign)),
        ("utmTerm", json!(utm.term.as_deref().unwrap_or_default())),
        (
            "utmContent",
            json!(utm.content.as_deref().unwrap_or_default()),
        ),
        ("href", json!(link.href)),
        ("platforms", json!(link.networks)),
        ("campaignId", json!(campaign_id)),
    ]);
    keyed("utmRecord", at, &link.key, body)
}

/// A record known by our key alone.
pub(crate) fn keyed(object: &str, at: usize, key: &str, mut body: Map<String, Value>) -> Row {
    let id = derived(object, key);
    body.insert("id".into(), json!(id));
    body.insert("externalKey".into(), json!(key));
    Row {
        at: vec![at],
        key: key.to_owned(),
        id: Some(id),
        known: false,
        body,
        held: None,
    }
}

/// `linkedin: We shipped ..`, for lists in Twenty's window.
fn headline(label: &str, text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let head: String = line.chars().take(60).collect();
    let dots = if head.len() < line.len() { ".." } else { "" };
    format!("{label}: {head}{dots}")
}

pub(crate) fn invalid(field: &str, message: &str) -> Error {
    Error::invalid(field, message).with_platform(&PLATFORM)
}
