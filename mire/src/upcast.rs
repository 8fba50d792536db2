//! Upcasting: reading a payload that an older version of the code wrote.
//!
//! The log is never rewritten. An event type that has changed its shape counts its versions up, and
//! each older version has a plain function that turns its payload into the next one's.

use serde_json::Value;

/// Why a stored event could not be read.
pub type DecodeError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// One step of a chain: turns a payload of version `from` into one of version `from + 1`.
pub struct Upcast {
    /// The version that the step reads.
    pub from: u32,
    /// The step.
    pub step: fn(Value) -> Result<Value, DecodeError>,
}

/// A function that `upcast(…)` names.
#[diagnostic::on_unimplemented(
    message = "this function can't read an older version of an event",
    label = "not a `fn(serde_json::Value) -> Result<serde_json::Value, _>`",
    note = "it is handed the older version's fields as one object, and answers those of the next version",
    note = "its error is one that `?` could turn into a `Box<dyn std::error::Error + Send + Sync>`"
)]
pub trait ReadsOlder<Argument, Answer> {
    /// Turns a payload into one of the next version.
    fn read(self, payload: Value) -> Result<Value, DecodeError>;
}

#[diagnostic::do_not_recommend]
impl<Argument, Answer, F> ReadsOlder<Argument, Answer> for F
where
    F: Fn(Argument) -> Answer,
    (Argument, Answer): Signature<Argument, Answer>,
{
    fn read(self, payload: Value) -> Result<Value, DecodeError> {
        let argument = <(Argument, Answer)>::argument(payload);
        <(Argument, Answer)>::answered(self(argument))
    }
}

/// What such a function takes and answers, found out before it is judged: of one with another
/// signature rustc would say that a closure mends it.
pub trait Signature<Argument, Answer> {
    /// What the function is handed.
    fn argument(payload: Value) -> Argument;

    /// What it answered.
    fn answered(answer: Answer) -> Result<Value, DecodeError>;
}

impl<E: Into<DecodeError>> Signature<Value, Result<Value, E>> for (Value, Result<Value, E>) {
    fn argument(payload: Value) -> Value {
        payload
    }

    fn answered(answer: Result<Value, E>) -> Result<Value, DecodeError> {
        answer.map_err(Into::into)
    }
}

/// One step of a chain.
pub fn read_older<Argument, Answer, F: ReadsOlder<Argument, Answer>>(
    function: F,
    payload: Value,
) -> Result<Value, DecodeError> {
    function.read(payload)
}

/// A payload whose stored version this code can't read.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "event `{event_type}` was stored with schema version {stored}, but this code reads up to \
     version {current}; deploy the version of the service that wrote it, or add the upcasts"
)]
pub struct UnknownSchemaVersion {
    /// The stored name.
    pub event_type: String,
    /// The stored version.
    pub stored: u32,
    /// The newest version that the code knows.
    pub current: u32,
}

/// A stored name that the event type doesn't know.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "event type `{event_type}` is not one of {known:?}; deploy the version of the service that \
     wrote it, give a renamed event its stored name, or declare one again that is written no more: the \
     log still has it"
)]
pub struct UnknownEventType {
    /// The stored name.
    pub event_type: String,
    /// The names that the type knows.
    pub known: &'static [&'static str],
}

/// Takes a payload from `stored` to `current` by the steps of `chain`, which are in order of
/// [`Upcast::from`].
///
/// # Errors
///
/// [`UnknownSchemaVersion`] when `stored` is newer than `current` or a step is missing, else what a
/// step answers, or what the JSON parser says of `data`.
pub fn upcast(
    event_type: &str,
    data: &[u8],
    stored: u32,
    current: u32,
    chain: &[Upcast],
) -> Result<Value, DecodeError> {
    let mut payload = serde_json::from_slice(data)?;
    if stored > current {
        return Err(unknown(event_type, stored, current));
    }
    for version in stored..current {
        let step = chain
            .iter()
            .find(|step| step.from == version)
            .ok_or_else(|| unknown(event_type, stored, current))?;
        payload = (step.step)(payload)?;
    }
    Ok(payload)
}

fn unknown(event_type: &str, stored: u32, current: u32) -> DecodeError {
    Box::new(UnknownSchemaVersion {
        event_type: event_type.to_owned(),
        stored,
        current,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(value: Value, member: &str) -> Result<Value, DecodeError> {
        let mut value = value;
        value[member] = Value::Bool(true);
        Ok(value)
    }

    #[test]
    fn a_payload_takes_every_step_from_its_version_on() {
        let chain = [
            Upcast {
                from: 1,
                step: |v| add(v, "two"),
            },
            Upcast {
                from: 2,
                // It replaces what the first step wrote, so the order shows.
                step: |v| {
                    add(v, "three").map(|mut v| {
                        v["two"] = Value::Null;
                        v
                    })
                },
            },
        ];
        let from_one = upcast("e", b"{}", 1, 3, &chain).unwrap();
        assert_eq!(from_one, serde_json::json!({"two": null, "three": true}));
        let from_two = upcast("e", b"{}", 2, 3, &chain).unwrap();
        assert_eq!(from_two, serde_json::json!({"two": null, "three": true}));
        assert!(upcast("e", b"{}", 4, 3, &chain).is_err());
        assert!(upcast("e", b"{}", 0, 3, &chain).is_err());
        assert!(upcast("e", b"{", 3, 3, &chain).is_err());
    }
}
