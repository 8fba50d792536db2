//! Table projections, written by hand: what `projection!` writes.

use mire::table::TableProjection;
use mire::{
    ColumnDef, ColumnError, DecodeError, Delivery, PageEvent, RowReader, RowWriter, TableDef,
};

use super::AccountEvent;

/// What every account holds, in version `V` of the declaration. A withdrawal of more than there is
/// closes the account.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Balance<const V: u32> {
    pub account: String,
    pub owner: Option<String>,
    pub balance: i64,
    /// How many events it was folded from: one that was folded twice, or not at all, shows.
    pub events: i64,
    pub last_position: i64,
}

/// What a later version adds to each balance, so that a row says which one it is of.
pub const fn bonus(version: u32) -> i64 {
    version as i64 * 1_000_000
}

/// The text that a deposit of this much makes a fold panic at, in version 13.
pub const UNLUCKY: i64 = 1313;

/// The version whose table has another declared name.
pub const RENAMED: u32 = 20;

/// The version whose subscription has another name, and its table the same.
pub const RESUBSCRIBED: u32 = 21;

impl<const V: u32> TableProjection for Balance<V> {
    type Event = AccountEvent;
    type Key = String;

    const TABLE: TableDef = TableDef {
        subscription: if V == RESUBSCRIBED {
            "accounts"
        } else {
            "balances"
        },
        table: if V == RENAMED { "holdings" } else { "balances" },
        fingerprint: V,
        categories: &["account"],
        columns: &[
            ColumnDef::of::<String>("account").key(),
            ColumnDef::of::<Option<String>>("owner").indexed(),
            ColumnDef::of::<i64>("balance").indexed(),
            ColumnDef::of::<i64>("events"),
            ColumnDef::of::<i64>("last_position"),
        ],
    };

    fn decode(event: &PageEvent<'_>) -> Result<Option<AccountEvent>, DecodeError> {
        Ok(Some(event.decode()?))
    }

    fn key(_: &AccountEvent, at: &PageEvent<'_>) -> Result<String, DecodeError> {
        Ok(at.id().to_owned())
    }

    fn fold(
        row: Option<Self>,
        key: &String,
        event: &AccountEvent,
        at: Delivery<'_>,
    ) -> Option<Self> {
        let mut row = row.unwrap_or_else(|| Self {
            account: key.clone(),
            balance: bonus(V),
            ..Self::default()
        });
        match event {
            AccountEvent::Opened { owner } => row.owner = Some(owner.clone()),
            AccountEvent::Deposited { amount } => {
                assert!(V != 13 || *amount != UNLUCKY, "thirteen");
                row.balance += amount;
            }
            AccountEvent::Withdrawn { amount } if row.balance < *amount => return None,
            AccountEvent::Withdrawn { amount } => row.balance -= amount,
        }
        row.events += 1;
        row.last_position = at.info().global_position();
        Some(row)
    }

    fn write(&self, row: &mut RowWriter<'_>) -> Result<(), ColumnError> {
        row.put(&self.account)?;
        row.put(&self.owner)?;
        row.put(&self.balance)?;
        row.put(&self.events)?;
        row.put(&self.last_position)
    }

    fn read(row: &mut RowReader<'_>) -> Result<Self, ColumnError> {
        Ok(Self {
            account: row.take()?,
            owner: row.take()?,
            balance: row.take()?,
            events: row.take()?,
            last_position: row.take()?,
        })
    }
}

/// The same table in another shape: the balance is a text, and nothing else is left.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    pub account: String,
    pub balance: String,
}

impl TableProjection for Written {
    type Event = AccountEvent;
    type Key = String;

    const TABLE: TableDef = TableDef {
        fingerprint: 0xffff,
        columns: &[
            ColumnDef::of::<String>("account").key(),
            ColumnDef::of::<String>("balance"),
        ],
        ..Balance::<1>::TABLE
    };

    fn decode(event: &PageEvent<'_>) -> Result<Option<AccountEvent>, DecodeError> {
        Balance::<1>::decode(event)
    }

    fn key(event: &AccountEvent, at: &PageEvent<'_>) -> Result<String, DecodeError> {
        Balance::<1>::key(event, at)
    }

    fn fold(
        row: Option<Self>,
        key: &String,
        event: &AccountEvent,
        _: Delivery<'_>,
    ) -> Option<Self> {
        let before = row.map_or(0, |row| row.balance.parse().unwrap_or(0));
        let change = match event {
            AccountEvent::Opened { .. } => 0,
            AccountEvent::Deposited { amount } => *amount,
            AccountEvent::Withdrawn { amount } => -amount,
        };
        Some(Self {
            account: key.clone(),
            balance: (before + change).to_string(),
        })
    }

    fn write(&self, row: &mut RowWriter<'_>) -> Result<(), ColumnError> {
        row.put(&self.account)?;
        row.put(&self.balance)
    }

    fn read(row: &mut RowReader<'_>) -> Result<Self, ColumnError> {
        Ok(Self {
            account: row.take()?,
            balance: row.take()?,
        })
    }
}
