use std::{io::Read as _, path::Path};

use automarket_core::{
    Bytes, Context, Error, ErrorKind, PageSource, Result, async_trait, html, source::Page,
};

use crate::{PLATFORM, connector::EXTRACTION};

/// More of a file is not read: the reader of pages keeps less.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Reads pages saved on this machine: an address is a path, absolute or from the working directory.
///
/// Only for what the host itself names. Never give it an address that a tenant may choose: it opens any
/// file that the process may open.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FilePages;

impl FilePages {
    /// Files without an address of their own: relative addresses in them lead nowhere.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

#[async_trait]
impl PageSource for FilePages {
    async fn read(&self, cx: &Context, address: &str) -> Result<Page> {
        // Nothing leaves this machine, so the environment is not needed.
        let _ = cx;
        let path = Path::new(address).to_owned();
        let page = async {
            let reading = tokio::task::spawn_blocking(move || beginning(&path));
            let (bytes, cut) = reading.await.map_err(|panic| {
                Error::new(ErrorKind::Internal, "reading the file failed").with_source(panic)
            })??;
            let mut page = html::extract_bounded(bytes, None, None, EXTRACTION).await?;
            page.truncated |= cut;
            Ok(page)
        };
        page.await.map_err(|error: Error| {
            error
                .with_platform(&PLATFORM)
                .with_operation("page.read_file")
        })
    }
}

/// The file's first bytes, and whether there are more. Only plain files: a pipe or a device may never end.
fn beginning(path: &Path) -> Result<(Bytes, bool)> {
    let failed = |error: std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::Forbidden,
            _ => ErrorKind::Storage,
        };
        Error::new(kind, format!("the file {} cannot be read", path.display())).with_source(error)
    };
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Error::invalid(
            "address",
            format!("{} is not a plain file", path.display()),
        ));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(MAX_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    let most = usize::try_from(MAX_BYTES).unwrap_or(usize::MAX);
    let cut = bytes.len() > most;
    bytes.truncate(most);
    Ok((bytes.into(), cut))
}
