use std::collections::BTreeMap;

mire::aggregate!(
    #[aggregate(category = "guest", id(GuestId), snapshot_every = 100)]
    struct Guest {
        nickname: Option<Option<String>>,
        told: Option<()>,
        rooms: Vec<(i64, std::option::Option<Option<i64>>)>,
    }

    #[event]
    fn renamed(&mut self, nickname: &Option<Option<String>>) {
        self.nickname = nickname.clone();
    }

    #[event]
    fn told(&mut self, whom: Option<()>, what: Option<serde_json::Value>) {
        self.told = whom;
    }

    #[event]
    fn moved(
        &mut self,
        rooms: BTreeMap<String, Option<Box<Option<i64>>>>,
        days: Option<Option<Option<()>>>,
    ) {
    }

    /// Another attribute doesn't say how it is stored.
    #[event]
    fn noted(&mut self, #[serde(default)] note: Option<Option<String>>) {}

    #[command]
    fn rename(&self, nickname: Option<String>) -> GuestEvent {
        GuestEvent::Renamed {
            nickname: Some(nickname),
        }
    }
);

mire::aggregate!(
    #[aggregate(category = "lamp", snapshot_every = 100)]
    struct Lamp(Option<Option<i64>>, #[serde(default)] Option<()>);
);

mire::aggregate!(
    #[aggregate(category = "door", snapshot_every = 100)]
    #[serde(rename_all = "snake_case")]
    enum Door {
        #[default]
        Closed,
        Open {
            since: Option<Option<i64>>,
        },
        Locked(Option<::serde_json::value::Value>),
    }
);

mire::projection!(
    #[projection(subscription = "guests", reads(GuestEvent))]
    #[ignores(GuestEvent::Told, GuestEvent::Moved, GuestEvent::Noted)]
    struct GuestRow {
        #[key]
        guest: GuestId,
        #[json]
        nickname: Option<Option<String>>,
        #[json]
        extra: Option<serde_json::Value>,
    }

    #[on(GuestEvent::Renamed)]
    fn renamed(&mut self, nickname: &Option<Option<String>>) {
        self.nickname = nickname.clone();
    }
);

fn main() {}
