//! Objects and fields, and the Metadata API that makes them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Refusal, State};

/// Some of the names that Twenty keeps for itself.
const RESERVED: [&str; 14] = [
    "event",
    "events",
    "address",
    "addresses",
    "role",
    "roles",
    "user",
    "users",
    "workspace",
    "workspaces",
    "field",
    "fields",
    "object",
    "objects",
];

const TYPES: [&str; 18] = [
    "TEXT",
    "NUMBER",
    "NUMERIC",
    "BOOLEAN",
    "DATE",
    "DATE_TIME",
    "SELECT",
    "MULTI_SELECT",
    "CURRENCY",
    "LINKS",
    "EMAILS",
    "PHONES",
    "ADDRESS",
    "ARRAY",
    "RAW_JSON",
    "RICH_TEXT",
    "UUID",
    "RELATION",
];

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) id: String,
    pub(super) singular: String,
    pub(super) plural: String,
    pub(super) custom: bool,
    pub(super) fields: Vec<Field>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Field {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) kind: String,
    /// The path whose value two records may not share.
    pub(super) unique: Option<String>,
    pub(super) options: Vec<Value>,
    /// The object a relation points to.
    pub(super) target: Option<String>,
    /// Whether it is the far side of a relation, which has no column.
    pub(super) reverse: bool,
}

impl Field {
    fn new(object: &str, name: &str, kind: &str) -> Self {
        Self {
            id: id(&format!("{object}.{name}")),
            name: name.to_owned(),
            label: name.to_owned(),
            kind: kind.to_owned(),
            unique: None,
            options: Vec::new(),
            target: None,
            reverse: false,
        }
    }

    /// The key under which a record has its value.
    pub(super) fn column(&self) -> String {
        match self.kind.as_str() {
            "RELATION" => format!("{}Id", self.name),
            _ => self.name.clone(),
        }
    }

    pub(super) fn words(&self) -> Vec<&str> {
        self.options
            .iter()
            .filter_map(|option| option["value"].as_str())
            .collect()
    }
}

fn id(name: &str) -> String {
    Uuid::new_v5(
        &Uuid::NAMESPACE_DNS,
        format!("twenty.example {name}").as_bytes(),
    )
    .to_string()
}

fn object(singular: &str, plural: &str, fields: &[(&str, &str)]) -> Object {
    let system = [
        ("id", "UUID"),
        ("createdAt", "DATE_TIME"),
        ("updatedAt", "DATE_TIME"),
        ("deletedAt", "DATE_TIME"),
    ];
    let fields = system.iter().chain(fields).map(|(name, kind)| {
        let relation = kind.strip_prefix('>');
        let mut field = Field::new(
            singular,
            name,
            if relation.is_some() { "RELATION" } else { kind },
        );
        field.target = relation.map(str::to_owned);
        field.unique = match (singular, *name) {
            (_, "id") => Some("id".into()),
            ("person", "emails") => Some("emails.primaryEmail".into()),
            ("company", "domainName") => Some("domainName.primaryLinkUrl".into()),
            _ => None,
        };
        if *kind == "SELECT" {
            let stages = ["NEW", "SCREENING", "MEETING", "PROPOSAL", "CUSTOMER"];
            field.options = stages.map(|stage| json!({"value": stage})).to_vec();
        }
        field
    });
    Object {
        id: id(singular),
        singular: singular.to_owned(),
        plural: plural.to_owned(),
        custom: false,
        fields: fields.collect(),
    }
}

/// What every workspace has.
pub(super) fn standard(old: bool) -> Vec<Object> {
    let (body, body_kind) = if old {
        ("body", "TEXT")
    } else {
        ("bodyV2", "RICH_TEXT")
    };
    let target = |new: &'static str, before: &'static str| if old { before } else { new };
    vec![
        object(
            "person",
            "people",
            &[
                ("name", "FULL_NAME"),
                ("emails", "EMAILS"),
                ("phones", "PHONES"),
                ("linkedinLink", "LINKS"),
                ("xLink", "LINKS"),
                ("jobTitle", "TEXT"),
                ("city", "TEXT"),
                ("avatarUrl", "TEXT"),
                ("company", ">company"),
            ],
        ),
        object(
            "company",
            "companies",
            &[
                ("name", "TEXT"),
                ("domainName", "LINKS"),
                ("employees", "NUMBER"),
                ("annualRecurringRevenue", "CURRENCY"),
                ("idealCustomerProfile", "BOOLEAN"),
            ],
        ),
        object(
            "opportunity",
            "opportunities",
            &[
                ("name", "TEXT"),
                ("amount", "CURRENCY"),
                ("stage", "SELECT"),
                ("closeDate", "DATE_TIME"),
                ("company", ">company"),
                ("pointOfContact", ">person"),
            ],
        ),
        object("note", "notes", &[("title", "TEXT"), (body, body_kind)]),
        object(
            "noteTarget",
            "noteTargets",
            &[
                ("note", ">note"),
                (target("targetPerson", "person"), ">person"),
                (target("targetCompany", "company"), ">company"),
                (target("targetOpportunity", "opportunity"), ">opportunity"),
            ],
        ),
    ]
}

/// Sub-fields of the types that have them.
pub(super) fn parts(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "FULL_NAME" => &["firstName", "lastName"],
        "EMAILS" => &["primaryEmail", "additionalEmails"],
        "PHONES" => &[
            "primaryPhoneNumber",
            "primaryPhoneCountryCode",
            "primaryPhoneCallingCode",
            "additionalPhones",
        ],
        "LINKS" => &["primaryLinkLabel", "primaryLinkUrl", "secondaryLinks"],
        "CURRENCY" => &["amountMicros", "currencyCode"],
        "RICH_TEXT" => &["markdown", "blocknote"],
        _ => return None,
    })
}

impl State {
    pub(super) fn by_plural(&self, plural: &str) -> Result<Object, Refusal> {
        let found = self.objects.iter().find(|object| object.plural == plural);
        found
            .cloned()
            .ok_or_else(|| Refusal::bad(format!("object '{plural}' not found")))
    }

    pub(super) fn by_singular(&self, singular: &str) -> Result<Object, Refusal> {
        let found = self
            .objects
            .iter()
            .find(|object| object.singular == singular);
        found
            .cloned()
            .ok_or_else(|| Refusal::bad(format!("object '{singular}' not found")))
    }

    pub(super) fn objects(&self) -> Value {
        let field = |field: &Field| {
            let target = field.target.as_ref().filter(|_| !field.reverse);
            json!({
                "id": field.id, "name": field.name, "label": field.label, "type": field.kind,
                "isUnique": field.unique.is_some(), "isNullable": field.unique.is_none(),
                "options": if field.options.is_empty() { Value::Null } else { json!(field.options) },
                "relation": target.map(|target| json!({"targetObjectMetadata": {"nameSingular": target}})),
            })
        };
        let objects: Vec<_> = self
            .objects
            .iter()
            .map(|object| {
                json!({
                    "id": object.id, "nameSingular": object.singular, "namePlural": object.plural,
                    "isCustom": object.custom, "isActive": true,
                    "fields": object.fields.iter().map(field).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({
            "data": {"objects": objects},
            "pageInfo": {"hasNextPage": false, "startCursor": null, "endCursor": null},
        })
    }

    pub(super) fn create_object(&mut self, body: &Value) -> Result<Value, Refusal> {
        let singular = name(body, "nameSingular")?;
        let plural = name(body, "namePlural")?;
        name_of(body, "labelSingular")?;
        name_of(body, "labelPlural")?;
        if singular == plural {
            return Err(Refusal::bad(
                "The singular and plural names cannot be the same",
            ));
        }
        let taken = |object: &Object| {
            [&object.singular, &object.plural]
                .into_iter()
                .any(|known| *known == singular || *known == plural)
        };
        if self.objects.iter().any(taken) {
            return Err(Refusal(409, "Object already exists".into()));
        }
        let mut made = object(&singular, &plural, &[("name", "TEXT")]);
        made.custom = true;
        let answer =
            json!({"data": {"createOneObject": {"id": made.id, "nameSingular": singular}}});
        self.objects.push(made);
        // Notes can hang on any object.
        let target = camel(&format!("target {singular}"));
        if let Some(tie) = self
            .objects
            .iter_mut()
            .find(|object| object.singular == "noteTarget")
        {
            let mut field = Field::new("noteTarget", &target, "RELATION");
            field.target = Some(singular);
            tie.fields.push(field);
        }
        Ok(answer)
    }

    pub(super) fn create_field(&mut self, body: &Value) -> Result<Value, Refusal> {
        let owner_id = name_of(body, "objectMetadataId")?;
        let field_name = name(body, "name")?;
        let label = name_of(body, "label")?;
        let kind = name_of(body, "type")?;
        if !TYPES.contains(&kind.as_str()) {
            return Err(Refusal::bad(format!("type must be one of {TYPES:?}")));
        }
        let owner = self.objects.iter().find(|object| object.id == owner_id);
        let Some(owner) = owner else {
            return Err(Refusal::bad("Object does not exist"));
        };
        let owner = owner.clone();
        if owner.fields.iter().any(|field| field.name == field_name) {
            let message = format!("Name \"{field_name}\" is not available (NOT_AVAILABLE)");
            return Err(Refusal::bad(message));
        }
        let mut field = Field::new(&owner.singular, &field_name, &kind);
        field.label = label;
        if body["isUnique"] == true {
            field.unique = Some(field_name.clone());
        }
        if kind == "SELECT" || kind == "MULTI_SELECT" {
            field.options = options(body)?;
        }
        if kind == "RELATION" {
            let payload = &body["relationCreationPayload"];
            if payload["type"] != "MANY_TO_ONE" {
                return Err(Refusal::bad("relationCreationPayload.type is required"));
            }
            let target_label = name_of(payload, "targetFieldLabel")?;
            name_of(payload, "targetFieldIcon")?;
            let target_id = name_of(payload, "targetObjectMetadataId")?;
            let target = self
                .objects
                .iter_mut()
                .find(|object| object.id == target_id);
            let Some(target) = target else {
                return Err(Refusal::bad("Target object does not exist"));
            };
            let far = camel(&target_label);
            if target.fields.iter().any(|field| field.name == far) {
                let message = format!("Name \"{far}\" is not available (NOT_AVAILABLE)");
                return Err(Refusal::bad(message));
            }
            field.target = Some(target.singular.clone());
            let mut reverse = Field::new(&target.singular, &far, "RELATION");
            reverse.reverse = true;
            reverse.target = Some(owner.singular.clone());
            target.fields.push(reverse);
        }
        let answer = json!({"data": {"createOneField": {"id": field.id, "name": field.name}}});
        if let Some(owner) = self.objects.iter_mut().find(|object| object.id == owner_id) {
            owner.fields.push(field);
        }
        Ok(answer)
    }
}

fn name_of(body: &Value, key: &str) -> Result<String, Refusal> {
    match body[key].as_str() {
        Some(text) if !text.trim().is_empty() => Ok(text.to_owned()),
        _ => Err(Refusal::bad(format!("{key} should not be empty"))),
    }
}

fn name(body: &Value, key: &str) -> Result<String, Refusal> {
    let name = name_of(body, key)?;
    let camel = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_alphanumeric());
    if !camel {
        return Err(Refusal::bad(format!(
            "String \"{name}\" is not valid: must be camelCase"
        )));
    }
    if RESERVED.contains(&name.as_str()) {
        return Err(Refusal::bad(format!("The name \"{name}\" is reserved")));
    }
    Ok(name)
}

fn options(body: &Value) -> Result<Vec<Value>, Refusal> {
    let options = body["options"].as_array().cloned().unwrap_or_default();
    let upper = |word: &str| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let good = |option: &Value| {
        option["value"].as_str().is_some_and(upper)
            && option["label"].is_string()
            && option["position"].is_number()
            && option["color"].is_string()
    };
    if options.is_empty() || !options.iter().all(good) {
        return Err(Refusal::bad(
            "Options are required, with value, label, position and color",
        ));
    }
    Ok(options)
}

fn camel(label: &str) -> String {
    let mut name = String::new();
    for (at, word) in label.split_whitespace().enumerate() {
        let (head, tail) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        let head = if at == 0 {
            head.to_lowercase()
        } else {
            head.to_uppercase()
        };
        name.push_str(&head);
        name.push_str(tail);
    }
    name
}
