//! An aggregate and its commands, without the macros.
//!
//! Why this pattern: everything that `aggregate!` writes are plain traits. Write them by hand where a
//! type exists already, where a command is worth a type of its own (it comes off a queue, it is
//! logged, it is checked in tests), or to see what the macro does. A command is a decision: it looks
//! at the state and answers events, or refuses, and knows no store.

use mire::{Aggregate, Backend, Command, CommandError, EventData, EventStore};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, Serialize, Deserialize, EventData)]
#[mire(entity = "seat")]
enum SeatEvent {
    Reserved { guest: String },
    Released,
}

#[derive(Debug, Default)]
struct Seat {
    guest: Option<String>,
}

impl Aggregate for Seat {
    type Event = SeatEvent;
    type Id = String;

    fn stream_category() -> &'static str {
        "seat"
    }

    fn apply(&mut self, event: &SeatEvent) {
        match event {
            SeatEvent::Reserved { guest } => self.guest = Some(guest.clone()),
            SeatEvent::Released => self.guest = None,
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum SeatError {
    #[error("the seat is reserved for {0}")]
    Taken(String),
    #[error("the seat is free")]
    Free,
}

struct Reserve {
    guest: String,
}

impl Command for Reserve {
    type Aggregate = Seat;
    type Error = SeatError;
    type Events = Option<SeatEvent>;

    fn handle(self, seat: &Seat) -> Result<Option<SeatEvent>, SeatError> {
        match &seat.guest {
            None => Ok(Some(SeatEvent::Reserved { guest: self.guest })),
            // Nothing happens, and that is fine.
            Some(guest) if *guest == self.guest => Ok(None),
            Some(guest) => Err(SeatError::Taken(guest.clone())),
        }
    }
}

struct Release;

impl Command for Release {
    type Aggregate = Seat;
    type Error = SeatError;
    type Events = [SeatEvent; 1];

    fn handle(self, seat: &Seat) -> Result<[SeatEvent; 1], SeatError> {
        match seat.guest {
            Some(_) => Ok([SeatEvent::Released]),
            None => Err(SeatError::Free),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    mire::with_store!(mire_examples::store().await?, |store| run(store).await)
}

async fn run<DB: Backend>(store: EventStore<DB>) -> anyhow::Result<()> {
    let seats = store.repository::<Seat>();
    let seat = Uuid::new_v4().to_string();
    for guest in ["Ann", "Ann", "Bob"] {
        let guest = guest.to_owned();
        match seats.send(&seat, Reserve { guest }).await {
            Ok(done) => println!("reserved, version {}", done.version),
            Err(CommandError::Rejected(reason)) => println!("refused: {reason}"),
            Err(error) => return Err(error.into()),
        }
    }
    let released = seats.send(&seat, Release).await?;
    println!("released, version {}", released.version);
    if let Err(CommandError::Rejected(reason)) = seats.send(&seat, Release).await {
        println!("refused: {reason}");
    }
    Ok(())
}
