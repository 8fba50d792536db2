//! The source of a domain, as it stands in a crate that depends on `mire`.

mire::aggregate!(
    /// A meter in somebody's cellar.
    #[aggregate(category = "meter", id(MeterId))]
    pub struct Meter {
        reading: i64,
        removed: bool,
    }

    /// Somebody read it.
    #[event]
    fn taken(&mut self, reading: i64, by: &str) {
        self.reading = reading;
    }

    /// It is gone, for a reason since version 2.
    #[event(name = "taken-out", version = 2, upcast(removed_v1))]
    fn removed(&mut self, reason: &Option<String>) {
        self.removed = true;
    }

    /// Takes a reading, which never goes down.
    #[command]
    pub fn take(&self, reading: i64, by: &str) -> Result<MeterEvent, String> {
        if reading < self.reading {
            return Err(format!("it showed {} before", self.reading));
        }
        let by = by.to_owned();
        Ok(MeterEvent::Taken { reading, by })
    }
);

fn removed_v1(mut payload: serde_json::Value) -> Result<serde_json::Value, serde_json::Error> {
    payload["reason"] = serde_json::Value::Null;
    Ok(payload)
}

mire::projection!(
    /// What each meter showed last.
    #[projection(subscription = "readings", reads(MeterEvent))]
    pub struct Reading {
        #[key]
        meter: MeterId,
        reading: i64,
    }

    #[on(MeterEvent::Taken)]
    fn taken(&mut self, reading: i64) {
        self.reading = reading;
    }

    #[on(MeterEvent::Removed, delete)]
    fn removed(&mut self) {}
);
