//! The workspace's schema: reading it, and creating what is missing of it.

use automarket_core::{
    Context, Error, ErrorKind, Result,
    crm::{Field, FieldKind},
};
use serde_json::{Value, json};

use crate::{
    PLATFORM,
    api::Site,
    error,
    rows::invalid,
    wire::{self, ObjectMeta},
};

const COLORS: [&str; 6] = ["blue", "green", "orange", "purple", "turquoise", "gray"];

/// An object and the fields that we need of it.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    pub(crate) object: &'a str,
    pub(crate) fields: &'a [Field],
}

/// The fields that campaigns need, in the order in which relations can be made. Networks are an open set,
/// so they are text and not a choice.
pub(crate) fn campaign_objects() -> [(&'static str, Vec<Field>); 3] {
    let statuses = ["DRAFT", "SCHEDULED", "ACTIVE", "COMPLETED"];
    let status = FieldKind::Select(statuses.map(str::to_owned).to_vec());
    let text = |name, label| field(name, label, FieldKind::Text);
    let campaign = || {
        field(
            "campaign",
            "Campaign",
            FieldKind::Relation("campaign".into()),
        )
    };
    let key = || Field {
        unique: true,
        ..field("externalKey", "External key", FieldKind::Text)
    };
    [
        (
            "campaign",
            vec![
                text("name", "Name"),
                text("description", "Description"),
                field("campaignStatus", "Campaign status", status),
                text("campaignType", "Campaign type"),
                text("sourceUrl", "Source URL"),
                key(),
            ],
        ),
        (
            "campaignPost",
            vec![
                text("name", "Name"),
                text("platform", "Platform"),
                text("content", "Content"),
                field("characterCount", "Character count", FieldKind::Number),
                field("scheduledAt", "Scheduled at", FieldKind::DateTime),
                text("remoteId", "Remote id"),
                key(),
                campaign(),
            ],
        ),
        (
            "utmRecord",
            vec![
                text("name", "Name"),
                text("utmSource", "UTM source"),
                text("utmMedium", "UTM medium"),
                text("utmCampaign", "UTM campaign"),
                text("utmTerm", "UTM term"),
                text("utmContent", "UTM content"),
                text("href", "Address"),
                field("platforms", "Platforms", FieldKind::Other("ARRAY".into())),
                key(),
                campaign(),
            ],
        ),
    ]
}

fn field(name: &str, label: &str, kind: FieldKind) -> Field {
    Field {
        name: name.to_owned(),
        label: label.to_owned(),
        kind,
        unique: false,
    }
}

/// All objects of the workspace.
pub(crate) async fn read(cx: &Context, site: &Site) -> Result<Vec<ObjectMeta>> {
    let mut all = Vec::new();
    let mut after: Option<String> = None;
    for _ in 0..wire::PAGES {
        let reply = site.send(cx, site.objects(after.as_deref())?).await?;
        let (objects, next) = wire::objects(&reply)?;
        all.extend(objects);
        if next.is_none() || next == after {
            return Ok(all);
        }
        after = next;
    }
    Err(wire::endless())
}

/// The object of this singular (or plural) name.
pub(crate) fn object<'a>(objects: &'a [ObjectMeta], name: &str) -> Result<&'a ObjectMeta> {
    objects
        .iter()
        .find(|object| object.singular == name || object.plural == name)
        .ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("the workspace has no object {name}"),
            )
            .with_platform(&PLATFORM)
            .with_remedy("create it in Twenty, or with ensure_fields")
        })
}

/// Creates what is missing: objects, then fields. Returns the created fields as `object.field`. Twice, or
/// by two workers at once, ends in the same schema.
pub(crate) async fn ensure(
    cx: &Context,
    site: &Site,
    wanted: &[Wanted<'_>],
) -> Result<Vec<String>> {
    let mut objects = read(cx, site).await?;
    let missing: Vec<_> = wanted
        .iter()
        .filter(|wanted| object(&objects, wanted.object).is_err())
        .collect();
    for wanted in &missing {
        let call = site.create_object(&object_body(wanted.object))?;
        match site.send(cx, call).await {
            Err(error) if !error::already(&error) => return Err(error),
            _ => {}
        }
    }
    if !missing.is_empty() {
        objects = read(cx, site).await?;
    }
    let mut created = Vec::new();
    for wanted in wanted {
        let owner = object(&objects, wanted.object)?;
        for field in wanted.fields.iter().filter(|field| !owner.has(&field.name)) {
            let call = site.create_field(&field_body(&objects, owner, field)?)?;
            match site.send(cx, call).await {
                Ok(_) => created.push(format!("{}.{}", wanted.object, field.name)),
                Err(error) if error::already(&error) => {
                    // Another worker was first, or the name is taken by something that we do not see.
                    let now = read(cx, site).await?;
                    if !object(&now, wanted.object)?.has(&field.name) {
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(created)
}

fn object_body(singular: &str) -> Value {
    let plural = plural(singular);
    json!({
        "nameSingular": singular,
        "namePlural": plural,
        "labelSingular": label(singular),
        "labelPlural": label(&plural),
        "icon": "IconTarget",
        "description": "Kept by automarket",
    })
}

fn field_body(objects: &[ObjectMeta], owner: &ObjectMeta, field: &Field) -> Result<Value> {
    let mut body = wire::object([
        ("objectMetadataId", json!(owner.id)),
        ("name", json!(field.name)),
        ("label", json!(field.label)),
    ]);
    let kind = match &field.kind {
        FieldKind::Text => "TEXT",
        FieldKind::Number => "NUMBER",
        FieldKind::Boolean => "BOOLEAN",
        FieldKind::DateTime => "DATE_TIME",
        FieldKind::Select(_) => "SELECT",
        FieldKind::MultiSelect(_) => "MULTI_SELECT",
        FieldKind::Relation(_) => "RELATION",
        FieldKind::Other(kind) => kind,
        _ => return Err(invalid("kind", "Twenty has no such field")),
    };
    body.insert("type".into(), json!(kind));
    match &field.kind {
        FieldKind::Select(words) | FieldKind::MultiSelect(words) => {
            body.insert("options".into(), options(words));
            body.insert("isNullable".into(), json!(true));
        }
        FieldKind::Relation(target) => {
            let target = object(objects, target)?;
            body.insert("icon".into(), json!("IconTarget"));
            body.insert(
                "relationCreationPayload".into(),
                json!({
                    "type": "MANY_TO_ONE",
                    "targetObjectMetadataId": target.id,
                    "targetFieldLabel": label(&owner.plural),
                    "targetFieldIcon": "IconTarget",
                }),
            );
        }
        _ => {
            body.insert("isNullable".into(), json!(true));
        }
    }
    if field.unique {
        body.insert("isUnique".into(), json!(true));
    }
    Ok(body.into())
}

fn options(words: &[String]) -> Value {
    let option = |(position, word): (usize, &String)| {
        let value: String = word
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() {
                    c.to_ascii_uppercase()
                } else {
                    '_'
                }
            })
            .collect();
        let color = COLORS.get(position % COLORS.len()).unwrap_or(&"gray");
        json!({"value": value, "label": word, "position": position, "color": color})
    };
    words.iter().enumerate().map(option).collect()
}

/// A field of the schema in our words.
pub(crate) fn field_of(meta: &Value) -> Field {
    let text = |name: &str| meta[name].as_str().unwrap_or_default().to_owned();
    let words = || {
        let options = meta["options"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        options
            .iter()
            .filter_map(|option| option["value"].as_str().map(str::to_owned))
            .collect()
    };
    let kind = match meta["type"].as_str().unwrap_or_default() {
        "TEXT" => FieldKind::Text,
        "NUMBER" | "NUMERIC" => FieldKind::Number,
        "BOOLEAN" => FieldKind::Boolean,
        "DATE_TIME" => FieldKind::DateTime,
        "SELECT" => FieldKind::Select(words()),
        "MULTI_SELECT" => FieldKind::MultiSelect(words()),
        "RELATION" => FieldKind::Relation(related(meta)),
        other => FieldKind::Other(other.to_owned()),
    };
    Field {
        name: text("name"),
        label: text("label"),
        kind,
        unique: meta["isUnique"] == true,
    }
}

/// The object a relation points to; empty where this server version does not say.
fn related(meta: &Value) -> String {
    ["relation", "relationDefinition"]
        .iter()
        .find_map(|place| meta[place]["targetObjectMetadata"]["nameSingular"].as_str())
        .unwrap_or_default()
        .to_owned()
}

/// The plural by which Twenty's paths name an object: `person` is `people`, `company` is `companies`,
/// the others take an s. What ends in one is taken for a plural.
pub(crate) fn plural(object: &str) -> String {
    let before_y = object.strip_suffix('y');
    match (object, before_y) {
        ("person" | "people", _) => "people".to_owned(),
        (_, Some(stem)) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
        _ if object.ends_with('s') => object.to_owned(),
        _ => format!("{object}s"),
    }
}

/// `campaignPost` as `Campaign post`.
fn label(name: &str) -> String {
    let mut label = String::with_capacity(name.len() + 4);
    for (at, c) in name.char_indices() {
        if at == 0 {
            label.extend(c.to_uppercase());
        } else if c.is_uppercase() {
            label.push(' ');
            label.extend(c.to_lowercase());
        } else {
            label.push(c);
        }
    }
    label
}
