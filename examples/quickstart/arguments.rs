use std::path::PathBuf;

use automarket::pipelines::campaign::Mode;

pub(crate) const HELP: &str = "\
quickstart [--page FILE_OR_URL] [--db PATH] [--mode review|immediate|draft] [--again] [--json] [--live]

  --page   a saved HTML file, or an http(s) address (read through the outbound guard); a bundled page otherwise
  --db     the SQLite file (automarket-quickstart.db); the sandbox's world is kept beside it
  --mode   review: scheduled 24 hours ahead (the default); immediate; draft
  --again  do it anew although the page was made into a campaign within 24 hours
  --json   one JSON report on standard output
  --live   the real services, named by these environment variables; one that is missing disables its step:
             MIXPOST_API_KEY, MIXPOST_API_URL, MIXPOST_WORKSPACE_ID, MIXPOST_<NETWORK>_ACCOUNT_ID
             TWENTY_CRM_URL, TWENTY_CRM_TOKEN
             SLACK_WEBHOOK_URL, or SLACK_BOT_TOKEN and SLACK_CHANNEL
             ANTHROPIC_API_KEY (else the built-in template writes), FIRECRAWL_API_KEY (else pages are read here)
  PUBLISHING_ENCRYPTION_KEY   under which credentials are sealed in the file; --live stores none without it:
             openssl rand -base64 32
  --allow-network CIDR   lets --live and --page reach a private network, over plain http too";

pub(crate) struct Arguments {
    pub(crate) page: Option<String>,
    pub(crate) db: PathBuf,
    pub(crate) mode: Mode,
    pub(crate) again: bool,
    pub(crate) json: bool,
    pub(crate) live: bool,
    pub(crate) allow_network: Vec<String>,
}

impl Arguments {
    /// `None` asks for help.
    pub(crate) fn parse(words: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut arguments = Self {
            page: None,
            db: PathBuf::from("automarket-quickstart.db"),
            mode: Mode::Review,
            again: false,
            json: false,
            live: false,
            allow_network: Vec::new(),
        };
        let mut words = words.peekable();
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            match word.as_str() {
                "--help" | "-h" => return Ok(None),
                "--again" => arguments.again = true,
                "--json" => arguments.json = true,
                "--live" => arguments.live = true,
                "--page" => arguments.page = Some(value()?),
                "--db" => arguments.db = PathBuf::from(value()?),
                "--allow-network" => arguments.allow_network.push(value()?),
                "--mode" => {
                    arguments.mode = match value()?.as_str() {
                        "review" => Mode::Review,
                        "immediate" => Mode::Immediate,
                        "draft" => Mode::Draft,
                        other => return Err(format!("{other} is no mode")),
                    }
                }
                _ => return Err(format!("{word} is not known")),
            }
        }
        Ok(Some(arguments))
    }
}
