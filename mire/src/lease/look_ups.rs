//! Look-ups of tables go by leases: see [`crate::backend::table::LEFT_ALONE_SECONDS`].
//!
//! Look-ups of code whose version of a table doesn't serve read that version's own table, as long as
//! somebody keeps it up to date. When nobody has led it for 10 seconds, they turn to the one that
//! serves. They must not come back before it has caught up, or they would show again what was long
//! ago. So whoever makes its lease live again takes back, in the same transaction, that the version is
//! complete. Its upkeep gives it back when it is as far as the one that serves.
//!
//! Look-ups ask the database's clock, and so does this, two seconds ahead of them. Between asking and
//! the commit the server lets a second pass at most.

use chrono::{DateTime, Utc};
use std::time::Duration;

use crate::backend::coordination::HeldLease;
use crate::backend::table::LEFT_ALONE_SECONDS;
use crate::backend::{Backend, Result};

/// How much earlier than look-ups do a leader takes a version of a table for left alone: the second
/// that the server leaves it between asking and committing, and one for the commit.
const AHEAD_OF_LOOK_UPS: f64 = 2.0;

/// How soon it is tried again to take a lease for which the registry of tables was needed.
pub(super) const REGISTRY_PAUSE: Duration = Duration::from_millis(500);

/// Has a version of a table catch up before look-ups come back to it, if they have left it. To be done
/// last in the transaction that makes its lease live, which lasted until `former` before. Answers
/// `false` when somebody has the registry, who may be waiting for what is locked here.
pub(super) async fn keep_look_ups_away<DB: Backend>(
    conn: &mut DB::Connection,
    subscription_id: &str,
    former: Option<DateTime<Utc>>,
) -> Result<bool> {
    let alone = LEFT_ALONE_SECONDS - AHEAD_OF_LOOK_UPS;
    let version = DB::left_alone(conn, subscription_id, alone, former).await?;
    let Some((subscription, fingerprint)) = version else {
        return Ok(true);
    };
    if !DB::try_lock_table(conn, &subscription).await? {
        return Ok(false);
    }
    DB::version_ready(conn, &subscription, &fingerprint, false).await?;
    Ok(true)
}

/// Until when each lease lasted that has expired and may be extended all the same: where a transaction
/// kept its heartbeats out, and everybody else who writes, too.
pub(super) async fn expired<DB: Backend>(
    conn: &mut DB::Connection,
    leases: &[HeldLease],
) -> Result<Vec<Option<DateTime<Utc>>>> {
    let mut expired = vec![None; leases.len()];
    if DB::ONE_WRITER {
        for (former, lease) in expired.iter_mut().zip(leases) {
            let seen = DB::lease(conn, &lease.subscription_id).await?;
            *former = seen
                .filter(|seen| seen.remaining.is_zero())
                .map(|seen| seen.leased_until);
        }
    }
    Ok(expired)
}
