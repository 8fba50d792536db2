//! A comma too many, and what stands behind the last one: nothing is forgotten.

mire::aggregate!(
    #[aggregate(category = "room")]
    pub struct Room {
        beds: i64,, floor: i64,
    }

    #[event]
    fn built(&mut self, beds: i64,, floor: i64) {
        self.beds = beds;
        self.floor = floor;
    }

    #[event]
    fn moved(&mut self,, floor: i64) {
        self.floor = floor;
    }

    #[command]
    pub fn build(&self, , beds: i64) -> RoomEvent {
        RoomEvent::Built { beds, floor: self.floor }
    }
);

mire::aggregate!(
    #[aggregate(category = "bed")]
    pub struct Bed {
        width: i64, /// How wide it is.
        height: i64, /// How high it is.
                     /// From the floor.
    }

    #[event]
    fn made(
        &mut self,
        width: i64, /// How wide it is.
    ) {
        self.width = width;
    }

    #[event]
    fn raised(&mut self, height: i64 /** How high it is. */) {
        self.height = height;
    }

    #[command]
    pub fn raise(&self, height: i64, #[allow(unused)]) -> BedEvent {
        BedEvent::Raised { height }
    }
);

mire::projection!(
    #[projection(subscription = "beds", reads(BedEvent))]
    pub struct Beds {
        #[key]
        bed: String,,
        height: i64, /// How high it is.
    }

    #[on(BedEvent::Made)]
    fn made(&mut self,,) {
        self.height = 40;
    }

    #[on(BedEvent::Raised)]
    fn raised(&mut self, height: i64, /// How high it is.
    ) {
        self.height = height;
    }
);

fn main() {
    mire::AggregateRoot::<Room>::new("1").build(2);
    mire::AggregateRoot::<Bed>::new("1").raise(2);
}
