//! The macro inside functions, nested modules and a `macro_rules!`, and under another name of the
//! dependency.

#![deny(missing_docs, warnings, clippy::pedantic)]

extern crate mire as renamed;

/// A module within a module, which knows nothing of its surroundings.
pub mod outer {
    /// The inner one.
    #[allow(clippy::needless_arbitrary_self_type)]
    pub mod inner {
        renamed::aggregate!(
            /// A light.
            #[aggregate(category = "light", crate(::renamed))]
            pub struct Light {
                on: bool,
            }

            #[event]
            #[rustfmt::skip]
            fn switched(self: &mut Self, on: bool) {
                self.on = on;
            }

            /// Turns it over, which nobody wants any more.
            #[command]
            #[deprecated = "say what you want with `switch`"]
            #[must_use]
            pub fn toggle(&self) -> LightEvent {
                LightEvent::Switched { on: !self.on }
            }

            /// What isn't compiled leaves nothing behind.
            #[cfg(any())]
            #[command]
            pub fn dim(&self, to: Brightness) -> Dimming {
                Err(to)
            }

            /// Switches it, if that changes anything.
            #[command]
            #[must_use]
            pub fn switch(&self, on: bool) -> Option<LightEvent> {
                (self.on != on).then_some(LightEvent::Switched { on })
            }

            #[command]
            #[rustfmt::skip]
            pub(crate) fn shine(self: &Self) -> LightEvent {
                LightEvent::Switched { on: true }
            }

            #[command]
            fn dark(&self) -> LightEvent {
                LightEvent::Switched { on: false }
            }
        );

        /// Commands that are less visible than the state are recorded where they can be seen.
        pub fn blink(light: &mut renamed::AggregateRoot<Light>) {
            light.shine();
            light.dark();
        }

        renamed::projection!(
            /// How often each light was switched.
            #[projection(subscription = "switches", reads(LightEvent), crate(::renamed))]
            pub struct Switches {
                #[key]
                light: String,
                #[index]
                times: i64,
            }

            #[on(LightEvent::Switched)]
            #[rustfmt::skip]
            fn switched(self: &mut Self) {
                self.times += 1;
            }
        );

        renamed::projection!(
            /// Tells that a light was switched.
            #[projection(subscription = "tell", reads(self::LightEvent), crate(::renamed))]
            pub struct Tell;

            #[on(self::LightEvent::Switched)]
            #[rustfmt::skip]
            async fn switched(self: &Self, on: bool, event: &renamed::EventInfo) {
                println!("{} {on}", event.stream_id());
            }
        );
    }
}

/// What a `macro_rules!` hands on.
mod handed_on {
    use crate::Number;

    macro_rules! counter {
        (
            $vis:vis $name:ident, $category:literal, $id:ty, $every:literal, $version:literal,
            $upcast:path, $counted:ty, $label:ty, $body:block, $zero:block, $answer:ty,
            $by:ident, $text:ident
        ) => {
            mire::aggregate!(
                /// Counts.
                #[aggregate(category = $category, id($id), snapshot_every = $every)]
                $vis struct $name {
                    count: $counted,
                    label: String,
                }

                #[event(version = $version, upcast($upcast))]
                fn counted(&mut self, by: $counted, parts: &[$counted], label: $label) {
                    self.count += by + parts.iter().sum::<$counted>();
                    self.label = label.to_owned();
                }

                #[event]
                fn emptied(&mut self) $zero

                /// Counts on.
                #[command]
                #[must_use]
                $vis fn count(&self, $by: $counted, $text: $label) -> $answer $body
            );
        };
    }

    fn from_first(fields: serde_json::Value) -> Result<serde_json::Value, std::fmt::Error> {
        if fields.is_object() {
            Ok(fields)
        } else {
            Err(std::fmt::Error)
        }
    }

    counter!(
        pub Counter, "counter", crate::Number, 100, 2, from_first, i64, &str,
        {
            (by > 0).then(|| CounterEvent::Counted { by, parts: vec![1], label: text.to_owned() })
        },
        {},
        Option<CounterEvent>,
        by,
        text
    );

    macro_rules! counts {
        (
            $name:ident, $told:ident, $subscription:expr, $enum:path, $key:ty, $event:path,
            $gone:path, $other:path, $field:ident, $counted:ty, $nothing:block
        ) => {
            mire::projection!(
                /// What is counted by label.
                #[projection(subscription = $subscription, reads($enum), table = "counts")]
                pub struct $name {
                    #[key]
                    counter: $key,
                    #[index]
                    count: $counted,
                }

                #[on($event)]
                fn counted(&mut self, $field: &$counted) {
                    self.count += $field;
                }

                #[on($gone, delete)]
                fn emptied(&mut self) $nothing
            );

            mire::projection!(
                /// Tells what is counted.
                #[projection(subscription = "told", reads($enum))]
                #[ignores($other)]
                pub struct $told;

                #[on($event)]
                async fn counted(&self, $field: $counted) {
                    println!("{}", $field);
                }
            );
        };
    }

    counts!(
        Counts,
        Told,
        "counts",
        self::CounterEvent,
        String,
        self::CounterEvent::Counted,
        self::CounterEvent::Emptied,
        self::CounterEvent::Emptied,
        by,
        i64,
        {}
    );

    macro_rules! all {
        ($name:ident, $store:expr, $kept:ty, $told:path, $value:expr) => {
            fn $name(store: &mire::EventStore<mire::Sqlite>) {
                let _ = mire::runner!($store(store), $kept, $told = $value);
            }
        };
    }

    all!(run, std::convert::identity, Counts, self::Told, Told);

    pub fn check() {
        let counter = mire::AggregateRoot::<Counter>::new(&Number(3));
        assert!(counter.state.count(2, "two").is_some());
        let _ = run;
    }
}

/// The domain of the example `snapshot_your_domain`, in a file of its own.
#[allow(dead_code, unused_variables, clippy::unnecessary_wraps)]
#[path = "../../mire-codegen/examples/snapshot_your_domain/domain.rs"]
mod domain;

fn main() {
    use outer::inner::{Light, LightCommands, LightCrateCommands, LightEvent, blink};

    mire::aggregate!(
        #[aggregate(category = "door", id(self::Number))]
        enum Door {
            #[default]
            Closed,
            Open,
        }

        #[event]
        fn opened(&mut self) {
            *self = Door::Open;
        }

        #[event]
        fn closed(&mut self) {
            *self = Door::Closed;
        }

        #[command]
        fn toggle(&self) -> [DoorEvent; 1] {
            [match self {
                Door::Closed => DoorEvent::Opened,
                Door::Open => DoorEvent::Closed,
            }]
        }
    );

    mire::projection!(
        #[projection(subscription = "doors", reads(DoorEvent))]
        #[ignores(DoorEvent::Closed)]
        struct Doors {
            #[key]
            door: String,
            times: i32,
        }

        #[on(DoorEvent::Opened)]
        fn opened(&mut self) {
            self.times += 1;
        }
    );

    mire::projection!(
        #[projection(subscription = "bell", reads(DoorEvent))]
        #[ignores(DoorEvent::Closed)]
        struct Bell {
            sound: &'static str,
        }

        #[on(DoorEvent::Opened)]
        async fn opened(&self) {
            println!("{}", self.sound);
        }
    );

    // Fields of a type that the macro doesn't know, and a `Result` under another name.
    #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Tone(u16);
    type Rung = Result<GongEvent, String>;

    mire::aggregate!(
        #[aggregate(category = "gong")]
        struct Gong {
            last: Option<Tone>,
        }

        #[event]
        fn rung(&mut self, tone: Tone, echo: &[Option<Tone>]) {
            self.last = echo.last().cloned().flatten().or(Some(tone));
        }

        #[command]
        fn ring(&self, tone: u16) -> Rung {
            match self.last {
                Some(Tone(last)) if last == tone => Err("again".to_owned()),
                _ => Ok(GongEvent::Rung {
                    tone: Tone(tone),
                    echo: vec![None],
                }),
            }
        }
    );

    wide_events();

    let mut gong = mire::AggregateRoot::<Gong>::new("1");
    gong.ring(440).unwrap();
    assert_eq!(gong.ring(440), Err("again".to_owned()));
    let payload = mire::EventData::encode(&gong.pending()[0]).unwrap();
    assert_eq!(payload, r#"{"tone":440,"echo":[null]}"#);

    let runner = |store: &mire::EventStore| {
        let bell = Bell { sound: "ding" };
        let switches = outer::inner::Switches::runner(store);
        switches
            .subscribe_table::<Doors>()
            .subscribe_projection(bell)
            .subscribe_projection(outer::inner::Tell)
    };
    let row = |doors: Doors| (doors.door, doors.times);
    let _ = (runner, row);

    let mut light = mire::AggregateRoot::<Light>::new("hall");
    light.switch(true);
    light.switch(true);
    assert_eq!(light.take_pending(), [LightEvent::Switched { on: true }]);
    light.shine();
    blink(&mut light);
    assert_eq!(light.take_pending().len(), 3);

    handed_on::check();

    let mut door = mire::AggregateRoot::<Door>::new(&Number(7));
    assert_eq!(door.stream_id, "door-7");
    door.toggle();
    door.toggle();
    assert_eq!(door.take_pending(), [DoorEvent::Opened, DoorEvent::Closed]);
}

/// More than clippy takes for a function's parameters, which are an event's fields here.
fn wide_events() {
    mire::aggregate!(
        #[aggregate(category = "form")]
        struct Form {
            city: String,
            last: String,
        }

        #[event]
        fn sent(
            &mut self,
            name: &str,
            city: &str,
            street: &str,
            house: u16,
            may_write: bool,
            may_call: bool,
            is_first: bool,
            is_old: bool,
        ) {
            // The fields of the event that have these names aren't used.
            let old = std::mem::take(&mut self.city);
            'house: for n in 0..2 {
                if n > 0 {
                    break 'house;
                }
            }
            self.last = format!("{old}{street}");
        }

        #[command]
        #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
        fn send(
            &self,
            name: String,
            city: String,
            street: String,
            house: u16,
            may_write: bool,
            may_call: bool,
            is_first: bool,
            is_old: bool,
        ) -> FormEvent {
            FormEvent::Sent {
                name,
                city,
                street,
                house,
                may_write,
                may_call,
                is_first,
                is_old,
            }
        }
    );

    mire::projection!(
        #[projection(subscription = "forms", reads(FormEvent))]
        struct Forms {
            #[key]
            form: String,
            city: String,
            callable: bool,
        }

        #[on(FormEvent::Sent)]
        fn sent(
            &mut self,
            name: &str,
            city: &str,
            street: &str,
            house: u16,
            may_write: bool,
            may_call: bool,
            is_first: bool,
            is_old: bool,
        ) {
            self.city.clear();
            self.callable = may_call && is_first;
        }
    );

    let _ = |form: Forms| (form.form, form.city, form.callable);
    let _ = |form: Form| (form.city, form.last);
}

/// An id type of the user's own.
#[derive(Debug, PartialEq)]
pub struct Number(u32);

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Number {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}
