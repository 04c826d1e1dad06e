//! As much GraphQL as lists need: one query with variables, arguments of any shape, selections.

use serde_json::{Map, Value, json};

use super::{
    Refusal, State,
    filter::{Filter, Page, Query, page},
};

#[derive(Debug, PartialEq)]
enum Token {
    Mark(char),
    Name(String),
    Literal(Value),
}

/// A selected field with its arguments and what is selected of it.
#[derive(Debug)]
struct Field {
    name: String,
    arguments: Map<String, Value>,
    fields: Vec<Self>,
}

impl State {
    pub(super) fn graphql(&self, body: &Value) -> Value {
        match self.answer(body) {
            Ok(data) => json!({"data": data}),
            Err(Refusal(_, message)) => json!({
                "errors": [{"message": message, "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"}}],
                "data": null,
            }),
        }
    }

    fn answer(&self, body: &Value) -> Result<Value, Refusal> {
        let text = body["query"]
            .as_str()
            .ok_or_else(|| Refusal::bad("Must provide query string."))?;
        let tokens = tokens(text)?;
        let mut parser = Parser {
            tokens: tokens.into_iter().peekable(),
            variables: &body["variables"],
            declared: Vec::new(),
        };
        let roots = parser.query()?;
        let mut data = Map::new();
        for root in roots {
            let object = self.by_plural(&root.name).map_err(|_| {
                Refusal::bad(format!(
                    "Cannot query field \"{}\" on type \"Query\".",
                    root.name
                ))
            })?;
            let known = ["filter", "orderBy", "first", "after"];
            if let Some(odd) = root
                .arguments
                .keys()
                .find(|name| !known.contains(&name.as_str()))
            {
                return Err(Refusal::bad(format!("Unknown argument \"{odd}\"")));
            }
            let filter = root
                .arguments
                .get("filter")
                .map(Filter::from_graphql)
                .transpose()?;
            let first = root
                .arguments
                .get("first")
                .and_then(Value::as_u64)
                .unwrap_or(60);
            let records = self
                .records
                .get(&object.singular)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let found = page(
                &object,
                records,
                Query {
                    filter,
                    order_by: "",
                    limit: usize::try_from(first).unwrap_or_default(),
                    after: root.arguments.get("after").and_then(Value::as_str),
                    old: self.old,
                    without_like: self.without_like,
                },
            )?;
            let columns: Vec<String> = object
                .fields
                .iter()
                .map(super::schema::Field::column)
                .collect();
            data.insert(root.name.clone(), connection(&root, &found, &columns)?);
        }
        Ok(data.into())
    }
}

fn connection(root: &Field, page: &Page, columns: &[String]) -> Result<Value, Refusal> {
    let mut out = Map::new();
    for field in &root.fields {
        let value = match field.name.as_str() {
            "totalCount" => json!(page.total),
            "pageInfo" => project(&field.fields, &page.info()),
            "edges" => {
                let rows = page.records.iter().zip(&page.cursors);
                rows.map(|(record, cursor)| edge(field, record, cursor, columns))
                    .collect::<Result<_, _>>()?
            }
            other => return Err(unknown(other)),
        };
        out.insert(field.name.clone(), value);
    }
    Ok(out.into())
}

fn edge(edges: &Field, record: &Value, cursor: &str, columns: &[String]) -> Result<Value, Refusal> {
    let mut out = Map::new();
    for field in &edges.fields {
        let value = match field.name.as_str() {
            "cursor" => json!(cursor),
            "node" => {
                let odd = field
                    .fields
                    .iter()
                    .find(|field| !columns.contains(&field.name));
                if let Some(odd) = odd {
                    return Err(unknown(&odd.name));
                }
                project(&field.fields, record)
            }
            other => return Err(unknown(other)),
        };
        out.insert(field.name.clone(), value);
    }
    Ok(out.into())
}

fn unknown(name: &str) -> Refusal {
    Refusal::bad(format!("Cannot query field \"{name}\"."))
}

fn project(fields: &[Field], value: &Value) -> Value {
    if fields.is_empty() || !value.is_object() {
        return value.clone();
    }
    let pick = |field: &Field| {
        (
            field.name.clone(),
            project(&field.fields, &value[&field.name]),
        )
    };
    Value::Object(fields.iter().map(pick).collect())
}

struct Parser<'a> {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    variables: &'a Value,
    declared: Vec<String>,
}

impl Parser<'_> {
    fn query(&mut self) -> Result<Vec<Field>, Refusal> {
        if self
            .tokens
            .next_if_eq(&Token::Name("query".into()))
            .is_some()
        {
            self.tokens.next_if(|token| matches!(token, Token::Name(_)));
            if self.skip('(') {
                while !self.skip(')') {
                    self.declaration()?;
                }
            }
        }
        self.selection()
    }

    /// `$values:[String!]!`
    fn declaration(&mut self) -> Result<(), Refusal> {
        self.need('$')?;
        let name = self.name()?;
        self.need(':')?;
        let list = self.skip('[');
        self.name()?;
        self.skip('!');
        if list {
            self.need(']')?;
        }
        let required = self.skip('!');
        let given = &self.variables[&name];
        if (required && given.is_null()) || (list && !given.is_null() && !given.is_array()) {
            return Err(Refusal::bad(format!(
                "Variable \"${name}\" got invalid value"
            )));
        }
        self.declared.push(name);
        Ok(())
    }

    fn selection(&mut self) -> Result<Vec<Field>, Refusal> {
        self.need('{')?;
        let mut fields = Vec::new();
        while !self.skip('}') {
            let name = self.name()?;
            let mut arguments = Map::new();
            if self.skip('(') {
                while !self.skip(')') {
                    let name = self.name()?;
                    self.need(':')?;
                    let value = self.value()?;
                    if !value.is_null() {
                        arguments.insert(name, value);
                    }
                }
            }
            let inner = self.tokens.peek() == Some(&Token::Mark('{'));
            let inner = if inner { self.selection()? } else { Vec::new() };
            fields.push(Field {
                name,
                arguments,
                fields: inner,
            });
        }
        Ok(fields)
    }

    fn value(&mut self) -> Result<Value, Refusal> {
        match self.tokens.next() {
            Some(Token::Literal(value)) => Ok(value),
            Some(Token::Name(word)) => Ok(json!(word)),
            Some(Token::Mark('$')) => {
                let name = self.name()?;
                if !self.declared.contains(&name) {
                    return Err(Refusal::bad(format!(
                        "Variable \"${name}\" is not defined."
                    )));
                }
                Ok(self.variables[&name].clone())
            }
            Some(Token::Mark('{')) => {
                let mut map = Map::new();
                while !self.skip('}') {
                    let name = self.name()?;
                    self.need(':')?;
                    map.insert(name, self.value()?);
                }
                Ok(map.into())
            }
            Some(Token::Mark('[')) => {
                let mut items = Vec::new();
                while !self.skip(']') {
                    items.push(self.value()?);
                }
                Ok(items.into())
            }
            other => Err(Refusal::bad(format!("Syntax Error: Unexpected {other:?}"))),
        }
    }

    fn name(&mut self) -> Result<String, Refusal> {
        match self.tokens.next() {
            Some(Token::Name(name)) => Ok(name),
            other => Err(Refusal::bad(format!(
                "Syntax Error: Expected Name, found {other:?}"
            ))),
        }
    }

    fn need(&mut self, mark: char) -> Result<(), Refusal> {
        if self.skip(mark) {
            return Ok(());
        }
        Err(Refusal::bad(format!(
            "Syntax Error: Expected \"{mark}\", found {:?}",
            self.tokens.peek()
        )))
    }

    fn skip(&mut self, mark: char) -> bool {
        self.tokens.next_if_eq(&Token::Mark(mark)).is_some()
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Refusal> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = |inside: fn(char) -> bool| rest.find(|c| !inside(c)).unwrap_or(rest.len());
        let length = match first {
            c if c.is_whitespace() || c == ',' => c.len_utf8(),
            '"' => {
                let mut literals = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
                let Some(Ok(literal)) = literals.next() else {
                    return Err(Refusal::bad("Syntax Error: Unterminated string."));
                };
                tokens.push(Token::Literal(literal));
                literals.byte_offset()
            }
            c if c.is_ascii_digit() => {
                let length = end(|c| c.is_ascii_digit());
                tokens.push(Token::Literal(json!(
                    rest[..length].parse::<u64>().unwrap_or(u64::MAX)
                )));
                length
            }
            c if c.is_ascii_alphabetic() || c == '_' => {
                let length = end(|c| c.is_ascii_alphanumeric() || c == '_');
                tokens.push(Token::Name(rest[..length].to_owned()));
                length
            }
            c => {
                tokens.push(Token::Mark(c));
                c.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    Ok(tokens)
}
