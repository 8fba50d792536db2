//! Who waits for an append, and what each of them is told.

use tokio::sync::{OwnedSemaphorePermit, oneshot};
use tokio::time::Instant;

use super::copies::copies;
use crate::backend::{AppendOutcome, Result};
use crate::error::EventStoreError;

/// Who waits for the answer, and holds room in the queue until then.
pub(super) struct Caller {
    pub(super) events: usize,
    pub(super) answer: oneshot::Sender<Result<AppendOutcome>>,
    pub(super) _room: OwnedSemaphorePermit,
}

/// Who waits for an append to one stream.
pub(super) struct Group {
    /// When the first of them arrived.
    pub(super) since: Instant,
    /// Their appends are written as one; more than one only if none expects anything.
    pub(super) callers: Vec<Caller>,
    /// They expect the version that the append expects, which it will have used up.
    pub(super) rivals: Vec<Caller>,
}

impl Group {
    /// Tells everybody what became of the one append.
    pub(super) fn answer(self, outcome: Result<AppendOutcome>) {
        let conflict = match &outcome {
            Ok(AppendOutcome::Written { version, .. }) => Some(*version),
            Ok(AppendOutcome::Conflict { actual }) => Some(*actual),
            _ => None,
        };
        let (callers, rivals) = (self.callers.len(), self.rivals.len());
        let shares: Vec<Result<AppendOutcome>> = match (outcome, conflict) {
            (Ok(outcome), Some(actual)) => {
                let counts: Vec<usize> = self.callers.iter().map(|caller| caller.events).collect();
                let beaten = vec![AppendOutcome::Conflict { actual }; rivals];
                split(outcome, &counts)
                    .into_iter()
                    .chain(beaten)
                    .map(Ok)
                    .collect()
            }
            // Only what has no rivals is answered in another way.
            (Ok(outcome), None) => (0..callers + rivals).map(|_| Ok(outcome.clone())).collect(),
            (Err(error), _) => copies(error, callers + rivals),
        };
        for (caller, share) in self.callers.into_iter().chain(self.rivals).zip(shares) {
            // A caller that is gone needs no answer.
            let _ = caller.answer.send(share);
        }
    }
}

/// The answer to an append that was sent alone.
pub(super) fn single(outcomes: Vec<AppendOutcome>) -> Result<AppendOutcome> {
    let outcome = outcomes.into_iter().next();
    outcome.ok_or_else(|| EventStoreError::Unsupported {
        what: "an append was not answered: the schema's functions are not this release's; run \
               `migrate()`"
            .to_owned(),
    })
}

/// Gives each caller of a merged append its share of the outcome.
fn split(outcome: AppendOutcome, counts: &[usize]) -> Vec<AppendOutcome> {
    let AppendOutcome::Written {
        version,
        positions,
        created_at,
    } = outcome
    else {
        return vec![outcome; counts.len()];
    };
    let total: usize = counts.iter().sum();
    let mut end = 0;
    counts
        .iter()
        .map(|count| {
            let start = end;
            end += count;
            AppendOutcome::Written {
                version: version - (total - end) as i64,
                positions: positions.get(start..end).unwrap_or_default().to_vec(),
                created_at,
            }
        })
        .collect()
}
