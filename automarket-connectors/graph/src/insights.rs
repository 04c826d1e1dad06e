use std::collections::BTreeMap;

use automarket_core::{Context, ErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;

use crate::Graph;

#[derive(Deserialize)]
struct Insights {
    data: Vec<Insight>,
}

#[derive(Deserialize)]
struct Insight {
    name: String,
    #[serde(default)]
    values: Vec<Measured>,
    total_value: Option<Measured>,
}

#[derive(Deserialize)]
struct Measured {
    value: Value,
}

impl Graph<'_> {
    /// Numbers by their names; without names those that the platform gives by itself. Meta refuses a whole
    /// question for one metric that it does not know, or no longer: then each is asked for alone, and what is
    /// still refused is left out.
    ///
    /// # Errors
    /// Those of [`ask`](Self::ask) other than for what is asked.
    pub async fn insights(
        &self,
        cx: &Context,
        operation: &'static str,
        path: &[&str],
        metrics: &[&str],
    ) -> Result<BTreeMap<String, Value>> {
        let together = self.some(cx, operation, path, metrics).await;
        let refused = |kind| matches!(kind, ErrorKind::InvalidInput | ErrorKind::ApiVersionRetired);
        match together {
            Err(error) if refused(error.kind()) && metrics.len() > 1 => {}
            end => return end,
        }
        let mut all = BTreeMap::new();
        for metric in metrics {
            match self.some(cx, operation, path, &[metric]).await {
                Ok(one) => all.extend(one),
                Err(error) if refused(error.kind()) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    async fn some(
        &self,
        cx: &Context,
        operation: &'static str,
        path: &[&str],
        metrics: &[&str],
    ) -> Result<BTreeMap<String, Value>> {
        let names = metrics.join(",");
        let query = [("metric", names.as_str())];
        let query = if metrics.is_empty() { &[][..] } else { &query };
        let found: Insights = self.ask(cx, self.get(operation, path, query)?).await?;
        let numbers = found.data.into_iter().filter_map(|insight| {
            let value = insight.total_value.or(insight.values.into_iter().last())?;
            Some((insight.name, value.value))
        });
        Ok(numbers.collect())
    }
}
