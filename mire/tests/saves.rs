//! Saves that get in each other's way, or are given up: none harms another.

#[cfg(feature = "postgres")]
mod claimed {
    use std::time::{Duration, Instant};

    use mire::{Append, DbErrorKind, Event, EventStore, ExpectedVersion, StoreOptions};

    use crate::common::{Account, deposited};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_scope_that_holds_a_new_stream_delays_no_save_of_another() {
        let (store, database) = crate::common::store_with(16).await;
        let event = [Event::new(deposited(1))];
        let none = ExpectedVersion::NoStream;
        // Streams that don't exist yet: their rows are there, but nobody else can see them.
        let mut scopes = Vec::new();
        for n in 0..4 {
            let mut scope = store.begin_transaction().await.unwrap();
            let stream = format!("account-claimed{n}");
            scope
                .append(&stream, "account", none, &event)
                .await
                .unwrap();
            scopes.push(scope);
        }
        let waiting: Vec<_> = (0..8)
            .map(|n| {
                let (store, event) = (store.clone(), event.clone());
                tokio::spawn(async move {
                    let stream = format!("account-claimed{}", n % 4);
                    store.append(&stream, "account", none, &event).await
                })
            })
            .collect();
        tokio::time::sleep(Duration::from_millis(100)).await;
        for n in 0..20 {
            let started = Instant::now();
            let stream = format!("account-free{n}");
            let saved = tokio::time::timeout(
                Duration::from_secs(5),
                store.append(&stream, "account", none, &event),
            );
            saved
                .await
                .expect("a save that has to do with nobody")
                .unwrap();
            assert!(started.elapsed() < Duration::from_secs(3));
        }
        assert!(waiting.iter().all(|task| !task.is_finished()));
        for scope in scopes {
            scope.commit().await.unwrap();
        }
        for task in waiting {
            assert!(task.await.unwrap().unwrap_err().is_conflict());
        }

        // And it doesn't wait for ever.
        let options = StoreOptions::default().lock_timeout(Duration::from_millis(300));
        let hasty = EventStore::with_options(database.pool(), options);
        let mut scope = store.begin_transaction().await.unwrap();
        for stream in ["account-new", "account-free1"] {
            let any = ExpectedVersion::Any;
            scope.append(stream, "account", any, &event).await.unwrap();
            let started = Instant::now();
            let error = hasty
                .append(stream, "account", any, &event)
                .await
                .unwrap_err();
            assert_eq!(error.db_kind(), Some(DbErrorKind::LockTimeout), "{error:?}");
            assert!(started.elapsed() < Duration::from_secs(3));
            let both = [stream, "account-other"].map(|stream| {
                let append = Append::new(stream, any).unwrap();
                append.event(&event[0]).unwrap()
            });
            let error = hasty.append_all(both).await.unwrap_err();
            assert_eq!(error.db_kind(), Some(DbErrorKind::LockTimeout), "{error:?}");
            assert!(started.elapsed() < Duration::from_secs(5));
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nobody_else_appends_to_a_stream_that_was_loaded_for_update() {
        let (store, _database) = crate::common::store_with(4).await;
        let event = [Event::new(deposited(1))];
        let any = ExpectedVersion::Any;
        let options = StoreOptions::default().lock_timeout(Duration::from_millis(200));
        let hasty = EventStore::with_options(store.pool().clone(), options);
        let append = || hasty.append("account-1", "account", any, &event);
        append().await.unwrap();
        let mut scope = store.begin_transaction().await.unwrap();
        let mut root = scope
            .load_for_update::<Account>("1")
            .await
            .unwrap()
            .unwrap();
        let error = append().await.unwrap_err();
        assert_eq!(error.db_kind(), Some(DbErrorKind::LockTimeout), "{error:?}");
        let mut second = hasty.begin_transaction().await.unwrap();
        let load = second.load_for_update::<Account>("1");
        let loaded = tokio::time::timeout(Duration::from_secs(20), load).await;
        let error = loaded.expect("a bound").unwrap_err();
        assert_eq!(error.db_kind(), Some(DbErrorKind::LockTimeout), "{error:?}");
        second.rollback().await.unwrap();
        root.record(deposited(5));
        scope.save(&mut root).await.unwrap();
        scope.commit().await.unwrap();
        assert_eq!(append().await.unwrap().version, 3);

        // Nor to one that was saved, before that is committed.
        let mut scope = store.begin_transaction().await.unwrap();
        let mut root = scope.load::<Account>("1").await.unwrap().unwrap();
        root.record(deposited(5));
        scope.save(&mut root).await.unwrap();
        let error = append().await.unwrap_err();
        assert_eq!(error.db_kind(), Some(DbErrorKind::LockTimeout), "{error:?}");
        scope.commit().await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn saves_that_wait_for_a_held_stream_leave_the_pool_to_others() {
        let (store, _database) = crate::common::store_with(4).await;
        let event = [Event::new(deposited(1))];
        let any = ExpectedVersion::Any;
        store
            .append("account-held", "account", any, &event)
            .await
            .unwrap();
        for stream in ["account-held", "account-new"] {
            let mut scope = store.begin_transaction().await.unwrap();
            let before = scope.append(stream, "account", any, &event).await.unwrap();
            let waiting: Vec<_> = (0..20)
                .map(|n| {
                    let (store, event) = (store.clone(), event.clone());
                    let stream = stream.to_owned();
                    tokio::spawn(async move {
                        // Some merge into one append, others can't.
                        let expected = match n % 2 {
                            0 => any,
                            _ => ExpectedVersion::Exact(before + 1000),
                        };
                        store.append(&stream, "account", expected, &event).await
                    })
                })
                .collect();
            tokio::time::sleep(Duration::from_millis(100)).await;
            for _ in 0..5 {
                let append = store.append("account-free", "account", any, &event);
                let done = tokio::time::timeout(Duration::from_secs(2), append).await;
                done.expect("the pool has room").unwrap();
            }
            scope.commit().await.unwrap();
            let mut written = 0;
            for task in waiting {
                match task.await.unwrap() {
                    Ok(_) => written += 1,
                    Err(error) => assert!(error.is_conflict(), "{error:?}"),
                }
            }
            assert_eq!(written, 10);
            let events = store.read_stream_all(stream, 0).await.unwrap();
            assert_eq!(events.len() as i64, before + 10);
        }
    }
}
