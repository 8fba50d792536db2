//! Slips in front of an item's name: the item is what it was meant to be, and nothing follows.

mod made {
    mire::aggregate!(
        #[aggregate(category = "room", id(RoomId))]
        pub Room {
            beds: i64,
        }

        #[event]
        fn pub built(&mut self, beds: i64) {
            self.beds = beds;
        }

        #[event]
        public fn closed(&mut self) {
            self.beds = 0;
        }

        #[command]
        fn pub build(&self) -> RoomEvent {
            RoomEvent::Built { beds: 2 }
        }

        #[command]
        fn pub(crate) rebuild(&self) -> RoomEvent {
            RoomEvent::Built { beds: self.beds }
        }

        #[command]
        public fn close(&self) -> RoomEvent {
            RoomEvent::Closed
        }

        #[command]
        crate fn shut(&self) -> RoomEvent {
            RoomEvent::Closed
        }

        #[command]
        pub(crate, super) fn lock(&self) -> RoomEvent {
            RoomEvent::Closed
        }

        #[command]
        pub(crate::made) fn bolt(&self) -> RoomEvent {
            RoomEvent::Closed
        }

        #[command]
        pub(public) fn bar(&self) -> RoomEvent {
            RoomEvent::Closed
        }

        #[command]
        pub mut fn seal(&self) -> RoomEvent {
            RoomEvent::Closed
        }
    );
}

use made::{Room, RoomCommands, RoomEvent, RoomId};

mire::aggregate!(
    #[aggregate(category = "bed")]
    public struct Bed {
        made: bool,
    }

    #[event]
    fn made(&mut self) {
        self.made = true;
    }
);

mire::aggregate!(
    #[aggregate(category = "key")]
    struct pub Key {
        lost: bool,
    }

    #[event]
    fn lost(&mut self) {
        self.lost = true;
    }
);

mire::projection!(
    #[projection(subscription = "rooms", reads(RoomEvent))]
    #[ignores(RoomEvent::Closed)]
    pub class Beds {
        #[key]
        room: RoomId,
        beds: i64,
    }

    #[on(RoomEvent::Built)]
    fn pub built(&mut self, beds: i64) {
        self.beds = beds;
    }
);

// The state or row as something else: no events follow from it.
mire::aggregate!(
    #[aggregate(category = "door")]
    pub type Door = bool;

    #[event]
    fn opened(&mut self) {
        *self = true;
    }
);

mire::aggregate!(
    #[aggregate(category = "lamp")]
    impl Lamp {
        #[event]
        fn lit(&mut self) {
            self.lit = true;
        }
    }
);

mire::projection!(
    #[projection(subscription = "doors", reads(RoomEvent))]
    pub type Doors = i64;

    #[on(RoomEvent::Built)]
    fn built(&mut self) {}
);

mire::aggregate!(
    #[aggregate(category = "lift")]
    pub struct Lift {
        floor: i64,
    }

    impl Lift {
        #[event]
        fn moved(&mut self, floor: i64) {
            self.floor = floor;
        }

        #[command]
        pub fn go(&self, floor: i64) -> LiftEvent {
            LiftEvent::Moved { floor }
        }
    }
);

fn main() {
    let mut room = mire::AggregateRoot::<Room>::new(&RoomId::new());
    room.build();
    room.close();
    mire::AggregateRoot::<Lift>::new("a").go(2);
    let run = |store: &mire::EventStore<mire::Sqlite>| Beds::runner(store);
    drop((run, BedEvent::Made, KeyEvent::Lost, Door::default()));
}
