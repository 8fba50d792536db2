mire::aggregate!(
    #[aggregate(category = "point", id(PointId), snapshot_every = 100)]
    struct Point {
        #[serde(rename = "y")]
        x: i64,
        y: i64,
        #[serde(rename(serialize = "height"))]
        z: i64,
    }

    #[event]
    fn moved(&mut self, #[serde(rename = "y")] x: i64, y: i64) {
        self.x = x;
        self.y = y;
    }

    #[event]
    fn turned(&mut self, by: i64, #[serde(alias = "angle", alias = "by")] degrees: i64) {}

    #[event]
    fn named(
        &mut self,
        #[serde(rename = "called")] name: &str,
        #[serde(rename = "called")] title: &str,
        #[serde(rename(serialize = "short", deserialize = "abbreviated"))] initials: &str,
    ) {
    }

    #[command]
    fn go(&self, x: i64) -> PointEvent {
        PointEvent::Moved { x, y: self.y }
    }
);

mire::aggregate!(
    #[aggregate(category = "line", snapshot_every = 100)]
    #[serde(rename_all_fields = "camelCase")]
    enum Line {
        #[default]
        None,
        Between {
            #[serde(alias = "to")]
            from: i64,
            #[serde(rename = "to")]
            until: i64,
            // How this one is called isn't worked out.
            to: i64,
        },
    }
);

fn main() {}
