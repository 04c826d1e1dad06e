//! Writing verdicts, so that one that takes the store long keeps no other from being written.

use std::{cmp::Reverse, time::Duration};

use automarket_core::{Error, ErrorKind, Retry};

use super::{
    SharedEngine, in_time,
    settle::{Ended, settle},
};
use crate::report::metrics;

/// So many bytes of results are written in one call, but for one result that is larger by itself.
const TOGETHER: usize = 1 << 20;

/// What became of verdicts.
#[derive(Default)]
pub(super) struct Written {
    /// These jobs are let go.
    pub(super) gone: Vec<Ended>,
    /// These are kept because the store does not take them now.
    pub(super) kept: Vec<Ended>,
}

/// Writes verdicts, those of small results first. What the store did not take goes behind the others, among half as
/// many: one of them may be to blame.
pub(super) async fn write(
    engine: SharedEngine,
    mut ended: Vec<Ended>,
    patience: Duration,
) -> Written {
    let mut written = Written::default();
    in_order(&mut ended);
    while !ended.is_empty() {
        let rest = ended.split_off(together(&ended));
        let mut part = std::mem::replace(&mut ended, rest);
        // Put again, what was written all the same is refused: its lease has ended.
        let Err(error) = in_time(patience, settle(&engine, &part)).await else {
            written.gone.append(&mut part);
            continue;
        };
        metrics::store_error("settle", &error);
        let never = cannot_be_written(&error);
        match &part[..] {
            [one] if never => {
                let job = one.lease.token.job;
                tracing::error!(%job, error = %error.report(), "a verdict is lost");
                written.gone.append(&mut part);
            }
            // One of them cannot be; the others can.
            _ if never => {
                part.iter_mut().for_each(|ended| ended.among = 1);
                part.append(&mut ended);
                ended = part;
            }
            _ => {
                let half = (part.len() / 2).max(1);
                part.iter_mut().for_each(|ended| ended.among = half);
                ended.append(&mut part);
                written.kept = ended;
                break;
            }
        }
    }
    written
}

fn in_order(ended: &mut [Ended]) {
    ended.sort_by_key(|ended| {
        // One by one they take turns: what was refused last is behind.
        let size = if ended.among == 1 { 0 } else { ended.size };
        (Reverse(ended.among), size)
    });
}

/// How many of the first are written in one call.
fn together(ended: &[Ended]) -> usize {
    let mut size = 0;
    let fits = ended.iter().enumerate().take_while(|(n, ended)| {
        size += ended.size;
        *n < ended.among && size <= TOGETHER
    });
    fits.count().max(1)
}

/// Whether the store will never take this verdict. Whatever else keeps it from that passes: it is away, or
/// read-only for now.
pub(super) fn cannot_be_written(error: &Error) -> bool {
    error.retry() == Retry::Never
        && matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Internal)
}

#[cfg(test)]
mod tests {
    use super::{super::held::tests::leased, *};
    use crate::worker::settle::End;

    #[tokio::test]
    async fn verdicts_that_are_written_one_by_one_take_turns() {
        let refused = async |end| {
            let (_, lease) = leased().await;
            let mut ended = Ended::new(lease, Ok(end), Duration::ZERO);
            ended.among = 1;
            ended
        };
        let mut kept = [
            refused(End::Done(1.into())).await,
            refused(End::Release).await,
        ];
        let last = kept[1].lease.token;
        in_order(&mut kept);
        assert_eq!(kept[1].lease.token, last);
    }
}
