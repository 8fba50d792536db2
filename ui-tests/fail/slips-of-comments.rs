//! Documentation within an attribute: the words beside it are read.

mire::aggregate!(
    #[aggregate(
        /// What its streams are called.
        /// All of them.
        category = "room", /// A room.
        id(/// Which one.
            RoomId)
    )]
    pub struct Room {
        beds: i64,
    }

    #[event(
        /// As it was called.
        name = "made"
    )]
    fn built(&mut self, beds: i64) {
        self.beds = beds;
    }
);

mire::projection!(
    #[projection(
        /** What has been read. */
        subscription = "rooms",
        reads(
            /// All rooms.
            RoomEvent
        ),
    )]
    pub struct Beds {
        #[key]
        room: RoomId,
        beds: i64,
    }

    #[on(
        /// A room more.
        RoomEvent::Built
    )]
    fn built(&mut self, beds: i64) {
        self.beds = beds;
    }
);

fn main() {
    let run = |store: &mire::EventStore<mire::Sqlite>| Beds::runner(store);
    drop((run, RoomId::new()));
}
