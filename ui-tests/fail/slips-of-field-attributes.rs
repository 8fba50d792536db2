//! Attributes that fields and functions have elsewhere.

mire::aggregate!(
    #[aggregate(category = "room", id(RoomId))]
    #[serde(rename_all = "camelCase")]
    pub struct Room {
        #[default(2)]
        beds: i64,
        #[default]
        floor: i64,
        #[serde(default)]
        windows: i64,
    }

    #[event]
    #[tracing::instrument(skip(self))]
    fn built(&mut self, beds: i64) {
        self.beds = beds;
    }
);

// What serde says of a state is for its snapshots, or for a derive.
mire::aggregate!(
    #[aggregate(category = "bed", snapshot_every = 100)]
    pub struct Bed {
        #[serde(default)]
        width: i64,
    }

    #[event]
    fn made(&mut self, width: i64) {
        self.width = width;
    }
);

mire::aggregate!(
    #[aggregate(category = "lamp")]
    #[derive(serde::Serialize)]
    pub struct Lamp {
        #[serde(rename = "on")]
        lit: bool,
    }

    #[event]
    fn lit(&mut self) {
        self.lit = true;
    }
);

mire::projection!(
    #[projection(subscription = "beds", reads(RoomEvent))]
    #[derive(Debug)]
    pub struct Beds {
        #[key]
        room: RoomId,
        #[sqlx(rename = "count")]
        beds: i64,
        #[serde(skip)]
        #[default]
        floor: i64,
    }

    #[on(RoomEvent::Built)]
    #[tracing::instrument]
    fn built(&mut self, beds: i64) {
        self.beds = beds;
    }
);

mire::projection!(
    #[projection(subscription = "exported", reads(RoomEvent))]
    #[derive(serde::Serialize)]
    pub struct Exported {
        #[key]
        room: RoomId,
        #[sqlx(default)]
        #[serde(rename = "count")]
        beds: i64,
    }

    #[on(RoomEvent::Built)]
    fn built(&mut self, beds: i64) {
        self.beds = beds;
    }
);

mire::projection!(
    #[projection(subscription = "mail", reads(RoomEvent))]
    pub struct Mail {
        #[serde(skip)]
        to: String,
        #[default]
        copies: u8,
    }

    #[on(RoomEvent::Built)]
    async fn built(&self) {
        println!("{} {}", self.to, self.copies);
    }
);

fn main() {
    let run = |store: &mire::EventStore<mire::Sqlite>| {
        mire::runner!(
            store,
            Beds,
            Exported,
            Mail = Mail {
                to: String::new(),
                copies: 1
            }
        )
    };
    drop((run, RoomId::new()));
}
