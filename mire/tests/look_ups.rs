//! Which table look-ups read while several versions of a declaration are about.

use std::time::Duration;

use crate::common::backends::TestBackend;
use crate::common::projections::{PATIENCE, Running, append, fast, start, stop, until};
use crate::common::tables::{Balance, UNLUCKY};
use mire::table::{self, TableProjection};
use mire::{Backend, Event, EventStore, EventStoreError, ExpectedVersion, FailurePolicy};

conformance!(
    columns_that_the_serving_version_lacks_are_not_made_up,
    columns_of_another_type_are_not_compared,
    the_serving_version_is_read_under_its_own_name,
    a_table_of_the_declared_name_that_is_not_mires_is_not_read,
    a_connection_outlives_a_swap_to_columns_of_other_collations,
    a_version_with_parked_events_is_not_read_before_it_serves,
    a_version_with_parked_events_is_better_than_none,
);

mire::aggregate!(
    /// A room of a hotel.
    #[aggregate(category = "room", id(RoomId))]
    pub struct Room;

    #[event]
    fn built(&mut self, name: &str) {}

    #[event]
    fn let_out(&mut self, nights: i64) {}
);

/// As it was first released.
mod first {
    use super::{RoomEvent, RoomId};

    mire::projection!(
        /// The rooms, and for how many nights they were let.
        #[projection(subscription = "rooms", reads(RoomEvent))]
        #[derive(Debug, PartialEq)]
        pub struct Row {
            #[key]
            pub room: RoomId,
            pub name: String,
            #[index]
            pub nights: i64,
        }

        #[on(RoomEvent::Built)]
        fn built(&mut self, name: &str) {
            self.name = name.to_owned();
        }

        #[on(RoomEvent::LetOut)]
        fn let_out(&mut self, nights: i64) {
            self.nights += nights;
        }
    );
}

/// With one column more.
mod nicknamed {
    use super::{RoomEvent, RoomId};

    mire::projection!(
        /// The rooms, and for how many nights they were let.
        #[projection(subscription = "rooms", reads(RoomEvent))]
        #[derive(Debug, PartialEq)]
        pub struct Row {
            #[key]
            pub room: RoomId,
            pub name: String,
            #[index]
            pub nights: i64,
            #[index]
            pub nick: String,
        }

        #[on(RoomEvent::Built)]
        fn built(&mut self, name: &str) {
            self.name = name.to_owned();
            self.nick = format!("nick of {name}");
        }

        #[on(RoomEvent::LetOut)]
        fn let_out(&mut self, nights: i64) {
            self.nights += nights;
        }
    );
}

/// With a column of another type.
mod retyped {
    use super::{RoomEvent, RoomId};

    mire::projection!(
        /// The rooms, and for how many nights they were let.
        #[projection(subscription = "rooms", reads(RoomEvent))]
        #[ignores(RoomEvent::Built)]
        #[derive(Debug, PartialEq)]
        pub struct Row {
            #[key]
            pub room: RoomId,
            #[index]
            pub nights: String,
        }

        #[on(RoomEvent::LetOut)]
        fn let_out(&mut self, nights: i64) {
            assert_ne!(nights, 13, "nobody stays for so long");
            self.nights += &"i".repeat(nights as usize);
        }
    );
}

/// The columns of the first, under another name.
mod renamed {
    use super::{RoomEvent, RoomId};

    mire::projection!(
        /// The rooms, and for how many nights they were let.
        #[projection(subscription = "rooms", table = "lettings", reads(RoomEvent))]
        #[derive(Debug, PartialEq)]
        pub struct Row {
            #[key]
            pub room: RoomId,
            pub name: String,
            #[index]
            pub nights: i64,
        }

        #[on(RoomEvent::Built)]
        fn built(&mut self, name: &str) {
            self.name = name.to_owned();
        }

        #[on(RoomEvent::LetOut)]
        fn let_out(&mut self, nights: i64) {
            self.nights += nights;
        }
    );
}

/// The columns of the first, one more of them with an index: where that is a text, it is sorted byte
/// by byte from then on.
mod indexed {
    use super::{RoomEvent, RoomId};

    mire::projection!(
        /// The rooms, and for how many nights they were let.
        #[projection(subscription = "rooms", reads(RoomEvent))]
        #[derive(Debug, PartialEq)]
        pub struct Row {
            #[key]
            pub room: RoomId,
            #[index]
            pub name: String,
            #[index]
            pub nights: i64,
        }

        #[on(RoomEvent::Built)]
        fn built(&mut self, name: &str) {
            self.name = name.to_owned();
        }

        #[on(RoomEvent::LetOut)]
        fn let_out(&mut self, nights: i64) {
            self.nights += nights;
        }
    );
}

async fn let_out<DB: Backend>(store: &EventStore<DB>, room: RoomId, nights: i64) -> i64 {
    let event = [Event::new(RoomEvent::LetOut { nights })];
    let stream = Room::stream(&room).unwrap();
    let any = ExpectedVersion::Any;
    let appended = store.append_to(&stream, any, &event).await;
    appended.unwrap().position
}

/// A room that was let for 3 nights, in a table that no runner goes on with.
async fn served_by<P: TableProjection, DB: Backend>(store: &EventStore<DB>) -> RoomId {
    let (room, any) = (RoomId::new(), ExpectedVersion::NoStream);
    let name = "blue".to_owned();
    let built = [Event::new(RoomEvent::Built { name })];
    let stream = Room::stream(&room).unwrap();
    store.append_to(&stream, any, &built).await.unwrap();
    let_out(store, room, 3).await;
    follow::<P, DB>(store).await;
    room
}

/// Runs a version until it serves and has caught up.
async fn follow<P: TableProjection, DB: Backend>(store: &EventStore<DB>) {
    let running = start(fast(store, "a").subscribe_table::<P>());
    until("it serves", || async {
        let status = table::status::<P, DB>(store).await.unwrap();
        status.own().is_some_and(|own| own.serving && own.lag == 0)
    })
    .await;
    stop(running).await;
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T, EventStoreError>, why: &str) {
    let error = answer.expect_err("a table that has no such column was read");
    assert!(
        matches!(error, EventStoreError::TableNotReady { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains(why), "{error}");
}

async fn columns_that_the_serving_version_lacks_are_not_made_up<DB: TestBackend>() {
    use nicknamed::Row;
    let (store, _database) = DB::fresh().await;
    let room = served_by::<first::Row, DB>(&store).await;
    let why = "the one that serves has other columns";
    is_refused(Row::get(&store, &room).await, why);
    is_refused(Row::get_many(&store, &[room, RoomId::new()]).await, why);
    is_refused(Row::by_nick(&store, "nick", 9).await, why);
    is_refused(Row::by_nick_range(&store, "a".to_owned().., 9).await, why);
    is_refused(Row::by_nights(&store, &3, 9).await, why);
    is_refused(Row::list(&store, 9).await, why);
}

async fn columns_of_another_type_are_not_compared<DB: TestBackend>() {
    use retyped::Row;
    let (store, _database) = DB::fresh().await;
    let room = served_by::<first::Row, DB>(&store).await;
    let why = "the one that serves has other columns";
    is_refused(Row::by_nights(&store, "iii", 9).await, why);
    is_refused(Row::by_nights(&store, "v", 9).await, why);
    is_refused(Row::get(&store, &room).await, why);
}

async fn the_serving_version_is_read_under_its_own_name<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let room = served_by::<first::Row, DB>(&store).await;
    let early = renamed::Row::get(&store, &room).await.unwrap().unwrap();
    assert_eq!(
        (early.nights, &*early.name),
        (3, "blue"),
        "before it is built"
    );

    follow::<renamed::Row, DB>(&store).await;
    let position = let_out(&store, room, 4).await;
    follow::<renamed::Row, DB>(&store).await;
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(&mut conn, DB::AN_HOUR_WITHOUT_LEADERS).await;
    drop(conn);
    // Nobody leads the first any more, and its view is still there.
    let elsewhere = EventStore::new(store.pool().clone());
    table::wait_for::<first::Row, DB>(&elsewhere, position, PATIENCE)
        .await
        .unwrap();
    let late = first::Row::get(&elsewhere, &room).await.unwrap().unwrap();
    assert_eq!(late.nights, 7);
}

async fn a_table_of_the_declared_name_that_is_not_mires_is_not_read<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let room = served_by::<first::Row, DB>(&store).await;
    let mut conn = store.pool().acquire().await.unwrap();
    DB::run(
        &mut conn,
        "CREATE TABLE lettings AS SELECT room, 'mine' AS name, 99 AS nights FROM rooms",
    )
    .await;
    drop(conn);
    let found = renamed::Row::get(&store, &room).await.unwrap().unwrap();
    assert_eq!((found.nights, &*found.name), (3, "blue"));
}

async fn a_connection_outlives_a_swap_to_columns_of_other_collations<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let room = served_by::<indexed::Row, DB>(&store).await;
    // All connections have prepared the look-up.
    let look_up = async || {
        for _ in 0..store.pool().options().get_max_connections() * 2 {
            let found = first::Row::get(&store, &room).await.unwrap().unwrap();
            assert_eq!(found.nights, 3);
            let rows = first::Row::by_nights(&store, &3, 9).await.unwrap();
            assert_eq!(rows.len(), 1);
        }
    };
    look_up().await;
    follow::<nicknamed::Row, DB>(&store).await;
    look_up().await;
}

/// Runs a version until it has caught up but for what it has parked.
async fn held_back_by_parked_events<P: TableProjection, DB: Backend>(
    store: &EventStore<DB>,
) -> Running {
    let running = start(
        fast(store, "b")
            .subscribe_table_with::<P>(|s| s.on_failure(FailurePolicy::Park).max_attempts(1)),
    );
    until("it is held back", || async {
        let status = table::status::<P, DB>(store).await.unwrap();
        let own = status.own().and_then(|own| own.hindrance.as_ref());
        own.is_some_and(|hindrance| hindrance.contains("parked"))
    })
    .await;
    running
}

async fn a_version_with_parked_events_is_not_read_before_it_serves<DB: TestBackend>() {
    type One = Balance<1>;
    type Thirteen = Balance<13>;
    let (store, _database) = DB::fresh().await;
    append(&store, "account-1", [1, UNLUCKY]).await;
    follow::<One, DB>(&store).await;
    let parking = held_back_by_parked_events::<Thirteen, DB>(&store).await;
    let key = "1".to_owned();
    let found: Option<Thirteen> = table::get(&store, &key).await.unwrap();
    assert_eq!(found.unwrap().events, 2, "the serving version has both");
    table::wait_for::<Thirteen, DB>(&store, 2, Duration::from_secs(1))
        .await
        .unwrap();
    stop(parking).await;
}

async fn a_version_with_parked_events_is_better_than_none<DB: TestBackend>() {
    let (store, _database) = DB::fresh().await;
    let room = served_by::<first::Row, DB>(&store).await;
    let_out(&store, room, 13).await;
    let parking = held_back_by_parked_events::<retyped::Row, DB>(&store).await;
    let found = retyped::Row::get(&store, &room).await.unwrap().unwrap();
    assert_eq!(found.nights, "iii");
    stop(parking).await;
}
