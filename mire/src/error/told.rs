//! An error as one line, for where it is read by people: with all that it was caused by, and each thing
//! once.

use std::error::Error;

use super::EventStoreError;

/// The error with all that it was caused by.
pub(crate) fn told(error: &(dyn Error + 'static)) -> String {
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        // The driver says the same again one level below.
        if let Some(sqlx::Error::Database(database)) = error.downcast_ref() {
            told.push(of_database(&**database));
            break;
        }
        let text = error.to_string();
        if told.last().is_none_or(|last| !last.contains(&text)) {
            told.push(text);
        }
        next = error.source();
    }
    told.join(": ")
}

/// What the database says, with what only PostgreSQL says beside it: which object it is about, and
/// what to do.
fn of_database(error: &dyn sqlx::error::DatabaseError) -> String {
    #[cfg(feature = "postgres")]
    if let Some(error) = error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        let detail = error.detail().map(|detail| format!(" ({detail})"));
        let hint = match error.code() {
            // It proposes to drop with CASCADE what is not the user's to drop.
            DEPENDENT_OBJECTS => {
                Some("drop what depends on it, and make it again afterwards".to_owned())
            }
            _ => error.hint().map(str::to_owned),
        };
        return [
            error.message(),
            &detail.unwrap_or_default(),
            &hint.map(|hint| format!("; {hint}")).unwrap_or_default(),
        ]
        .concat();
    }
    error.message().to_owned()
}

#[cfg(feature = "postgres")]
const DEPENDENT_OBJECTS: &str = "2BP01";

/// Whether something can't be dropped, since other things depend on it. SQLite drops it all the same.
pub(crate) fn is_depended_on(error: &EventStoreError) -> bool {
    #[cfg(feature = "postgres")]
    if let EventStoreError::Database(sqlx::Error::Database(error)) = error {
        return error.code().as_deref() == Some(DEPENDENT_OBJECTS);
    }
    let _ = error;
    false
}
