mod pairs {
    pub fn serialize<S: serde::Serializer>(pairs: &Option<i64>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(pairs)
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<i64>, D::Error> {
        let pairs: Vec<i64> = serde::Deserialize::deserialize(from)?;
        Ok(pairs.into_iter().next())
    }
}

mire::aggregate!(
    #[aggregate(category = "room", id(RoomId), snapshot_every = 100)]
    struct Room {
        beds: i64,
        #[serde(skip)]
        guests: Vec<String>,
        #[serde(skip_serializing)]
        cleaned: i64,
        #[serde(skip_deserializing, rename = "paid")]
        owed: i64,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tags: Vec<String>,
    }

    #[event]
    fn built(&mut self, #[serde(skip)] beds: i64, floor: i64) {
        self.beds = beds;
    }

    #[event]
    fn booked(
        &mut self,
        #[serde(skip_serializing)] guest: &str,
        #[serde(skip_deserializing, default)] nights: i64,
        #[serde(rename = "by", skip, default)] through: &str,
    ) {
        self.guests.push(guest.to_owned());
    }

    #[event]
    fn tagged(
        &mut self,
        #[serde(skip_serializing_if = "Vec::is_empty")] tags: Vec<String>,
        #[serde(with = "pairs", skip_serializing_if = "Option::is_none")] pairs: Option<i64>,
    ) {
        self.tags = tags;
    }

    #[command]
    fn build(&self, beds: i64) -> RoomEvent {
        RoomEvent::Built { beds, floor: 1 }
    }
);

mire::aggregate!(
    #[aggregate(category = "door", snapshot_every = 100)]
    enum Door {
        #[default]
        Closed,
        #[serde(skip)]
        Open,
        #[serde(rename_all = "camelCase")]
        Ajar {
            #[serde(skip)]
            by_angle: i64,
        },
    }
);

mire::aggregate!(
    #[aggregate(category = "lamp", snapshot_every = 100)]
    struct Lamp(i64, #[serde(skip)] i64);
);

fn main() {}
