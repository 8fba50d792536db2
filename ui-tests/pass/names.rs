//! Types of the user's that are called as generated code might call its own.

#![deny(missing_docs, warnings, clippy::pedantic)]
#![allow(dead_code)]

mod shop {
    use mire::{ColumnError, ColumnType};

    mire::aggregate!(
        #[aggregate(category = "result", id(Store))]
        #[derive(Debug)]
        pub struct Result {
            pub option: Option<i64>,
        }

        #[event]
        fn some(&mut self, r#ok: i64) {
            self.option = Some(ok);
        }

        #[event]
        fn none(&mut self) {
            self.option = None;
        }

        #[command]
        pub fn clear(&self) -> Option<ResultEvent> {
            self.option.map(|_| ResultEvent::None)
        }
    );

    /// Shadows a generic parameter, if there were one of this name.
    #[derive(Debug, Clone, PartialEq, Default)]
    pub struct Row(pub i64);

    impl ColumnType for Row {
        type Stored = i64;

        fn to_stored(&self) -> std::result::Result<i64, ColumnError> {
            Ok(self.0)
        }

        fn from_stored(stored: i64) -> std::result::Result<Self, ColumnError> {
            Ok(Self(stored))
        }
    }

    mire::projection!(
        #[projection(subscription = "read", reads(ResultEvent))]
        #[ignores(ResultEvent::None)]
        pub struct Read {
            #[key]
            pub store: Store,
            #[index]
            pub row: Row,
            #[index]
            pub event: Option<i64>,
        }

        #[on(ResultEvent::Some)]
        fn some(&mut self, ok: i64) {
            self.row = Row(ok);
            self.event = Some(ok);
        }
    );

    mire::projection!(
        #[projection(subscription = "r", reads(ResultEvent))]
        #[ignores(ResultEvent::None)]
        pub struct R {
            #[key]
            pub store: Store,
            pub event: i64,
        }

        #[on(ResultEvent::Some)]
        fn some(&mut self, ok: i64) {
            self.event = ok;
        }
    );

    /// An enum that is called as the projection's own of all that it reads.
    pub mod event {
        use serde::{Deserialize, Serialize};

        /// What happens.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, mire::EventData)]
        #[mire(entity = "event")]
        pub enum Read {
            /// It happened.
            Happened,
        }
    }

    /// A projection that is called as a generic parameter might be.
    pub mod acting {
        use super::event::Read;

        mire::projection!(
            #[projection(subscription = "store", reads(Read))]
            pub struct Store {
                /// What it holds.
                pub held: Vec<String>,
            }

            #[on(Read::Happened)]
            async fn happened(&self) {
                println!("{:?}", self.held);
            }
        );
    }
}

fn runner(store: &mire::EventStore) -> mire::ProjectionRunnerBuilder<mire::Postgres> {
    let acting = shop::acting::Store { held: Vec::new() };
    mire::runner!(store, shop::Read, shop::R, shop::acting::Store = acting)
}

fn main() {
    let _ = runner;
    let _ = shop::Result::given([shop::ResultEvent::Some { ok: 1 }])
        .when(shop::Result::clear)
        .then([shop::ResultEvent::None]);
}
