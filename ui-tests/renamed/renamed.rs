//! All macros in a crate whose manifest gives mire another name. There is no `mire` in scope here, so
//! whatever they write without asking for the name doesn't compile.

#![deny(missing_docs, warnings, clippy::pedantic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use renamed::{EventInfo, EventTypeStatic, ExpectedVersion, Sqlite};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

renamed::aggregate!(
    /// A lamp.
    #[aggregate(category = "lamp", id(LampId), snapshot_every = 1, crate(renamed))]
    #[derive(Debug, PartialEq)]
    pub struct Lamp {
        on: bool,
    }

    /// It was switched.
    #[event(version = 2, upcast(switched_v1))]
    fn switched(&mut self, on: bool) {
        self.on = on;
    }

    /// Switches it, if that changes anything.
    #[command]
    #[must_use]
    pub fn switch(&self, on: bool) -> Option<LampEvent> {
        (self.on != on).then_some(LampEvent::Switched { on })
    }
);

fn switched_v1(mut payload: serde_json::Value) -> Result<serde_json::Value, &'static str> {
    let state = payload["state"].take();
    let state = state.as_str().ok_or("there is no state")?;
    payload["on"] = (state == "on").into();
    Ok(payload)
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, renamed::EventData)]
#[mire(entity = "mains", crate(renamed))]
enum MainsEvent {
    Failed,
    Restored { volts: i64 },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, renamed::EventData)]
#[mire(event_type = "mains.metered", crate(renamed))]
struct Metered {
    watts: i64,
}

renamed::projection!(
    /// How often each lamp was switched.
    #[projection(subscription = "switches", reads(LampEvent), crate(renamed))]
    #[derive(Debug, PartialEq)]
    pub struct Switches {
        #[key]
        lamp: LampId,
        #[index]
        times: i64,
        #[json]
        states: Vec<bool>,
    }

    #[on(LampEvent::Switched)]
    fn switched(&mut self, on: bool) {
        self.times += 1;
        self.states.push(on);
    }
);

renamed::projection!(
    /// Adds up the power.
    #[projection(subscription = "power", reads(MainsEvent), crate(renamed))]
    #[ignores(MainsEvent::Failed)]
    struct Power {
        volts: Arc<AtomicI64>,
    }

    #[on(MainsEvent::Restored)]
    async fn restored(&self, volts: i64, event: &EventInfo) {
        assert_eq!(event.stream_id(), "mains-1");
        self.volts.fetch_add(volts, Ordering::Relaxed);
    }
);

#[tokio::test]
async fn every_macro_works_under_another_name() {
    let store = renamed::open::<Sqlite>("sqlite::memory:").await.unwrap();
    let lamp = LampId::new();
    let switch = async |on| {
        let done = store.execute(lamp, |lamp: &Lamp| lamp.switch(on)).await;
        done.unwrap()
    };
    switch(true).await;
    let mut root = store.load_or_default::<Lamp>(&lamp).await.unwrap();
    root.switch(false);
    store.save(&mut root).await.unwrap();
    let mains = [
        renamed::Event::new(MainsEvent::Failed),
        renamed::Event::new(MainsEvent::Restored { volts: 230 }),
    ];
    store
        .append("mains-1", "mains", ExpectedVersion::NoStream, &mains)
        .await
        .unwrap();
    let head = store.safe_head().await.unwrap().position;
    assert_eq!(Metered::EVENT_TYPE, "mains.metered");

    let volts = Arc::new(AtomicI64::new(0));
    let power = Power {
        volts: Arc::clone(&volts),
    };
    let runner = renamed::runner!(&store, Switches, Power = power).build();
    let cancel = CancellationToken::new();
    let running = tokio::spawn(runner.run(cancel.clone()));
    let patience = Duration::from_secs(30);
    Switches::wait_for(&store, head, patience).await.unwrap();
    store.wait_for("power", head, patience).await.unwrap();
    let row = Switches::get(&store, &lamp).await.unwrap().unwrap();
    let states = vec![true, false];
    assert_eq!(
        row,
        Switches {
            lamp,
            times: 2,
            states
        }
    );
    assert_eq!(Switches::by_times(&store, &2, 9).await.unwrap(), [row]);
    assert_eq!(volts.load(Ordering::Relaxed), 230);
    cancel.cancel();
    running.await.unwrap().unwrap();

    Lamp::given([LampEvent::Switched { on: true }])
        .when(|lamp| lamp.switch(true))
        .then([]);
}
